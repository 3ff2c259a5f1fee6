"""Cached features, addressed by content: what an example is and what extracts it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mlforge.core.digest import digest_bytes
from mlforge.storage.files import (
    make_folder,
    read_bytes,
    remove_file,
    remove_temporaries,
    write_bytes,
)

__all__ = ["FeatureCache"]


class FeatureCache:
    """Rows of features by the digest of their example, below one key for what extracts them.

    Each `store` adds one file, whose name is the digest of its bytes; a file that no longer has
    its name's digest, or holds no such rows, is removed and its rows are extracted again.

    Parameters
    ----------
    folder
        The cache's folder.
    key
        The digest of the extractor's name, parameters, revision and library versions, and of what
        decodes its examples.
    n_features
        How long each row is; any length where None.
    """

    def __init__(self, folder: Path, key: str, n_features: int | None = None) -> None:
        self.folder = folder / key
        self._n_features = n_features

    def load(self, digests: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        """Return the rows that are cached, by digest."""
        wanted = set(digests)
        rows: dict[str, npt.NDArray[np.float32]] = {}
        for path in sorted(self.folder.glob("*.npz")) if self.folder.is_dir() else []:
            data = read_bytes(path)
            found = self._rows(data) if digest_bytes(data) == path.stem else None
            if found is None:
                remove_file(path)
                continue
            rows.update({digest: row for digest, row in found.items() if digest in wanted})
        return rows

    def _rows(self, data: bytes) -> dict[str, npt.NDArray[np.float32]] | None:
        """Return what a file holds; None where that is not ours, though its name is right."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                digests, values = arrays["digests"], arrays["values"]
        # Anybody may have put it there, and what reading it fails with is no closed list.
        except Exception:  # noqa: BLE001 - see above
            return None
        is_ours = (
            digests.dtype.kind == "U"
            and values.dtype == np.float32
            and values.ndim == 2
            and digests.shape == values.shape[:1]
            and self._n_features in {None, values.shape[1]}
            and np.isfinite(values).all()
        )
        return dict(zip(digests.tolist(), values, strict=True)) if is_ours else None

    def store(self, digests: Sequence[str], values: npt.NDArray[np.float32]) -> None:
        """Add rows, ``n_examples x n_features``."""
        buffer = io.BytesIO()
        np.savez(buffer, digests=np.array(digests, dtype="U64"), values=values)
        data = buffer.getvalue()
        make_folder(self.folder)
        # Where somebody else stores at the same time, that store fails and is made up for.
        remove_temporaries(self.folder)
        write_bytes(self.folder / f"{digest_bytes(data)}.npz", data)
