"""Features of examples: read from the cache, or extracted once and put there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from mlforge.core.digest import digest_bytes, digest_json
from mlforge.core.names import printable
from mlforge.core.reporting import Advance, Reporter
from mlforge.engines.local import LocalEngine, Outcome
from mlforge.errors import DataError, SampleError
from mlforge.extractors import EXTRACTORS, Extractor, LearningExtractor
from mlforge.modalities import Modality
from mlforge.storage.feature_cache import FeatureCache
from mlforge.storage.files import read_bytes
from mlforge.workflows.workspace import Workspace

__all__ = [
    "ExampleFile",
    "extract_features",
    "feature_matrix",
    "make_extractors",
    "reduced_examples",
]

Kind = TypeVar("Kind", bound=Extractor)

_CHUNK = 64


@dataclass(frozen=True)
class ExampleFile:
    """An example on disk.

    Attributes
    ----------
    path
        The file.
    digest
        The SHA-256 that its bytes must have.
    """

    path: Path
    digest: str


def make_extractors(
    workspace: Workspace, names: Sequence[str] = (), *, learning: bool = False
) -> list[Extractor]:
    """Make the extractors with those names, or those that ``mlforge.toml`` says.

    Parameters
    ----------
    workspace
        The project.
    names
        Their names.
    learning
        Whether those that learn are to be fitted.

    Raises
    ------
    ConfigError
        If one is unknown, or a parameter is wrong.
    MissingExtraError
        If what one needs to be fitted is not installed.
    """
    settings, modality = workspace.settings.features, workspace.modality
    where = "mlforge.toml: features.use" if {*names} <= {*settings.use} else "--features"
    chosen = dict.fromkeys(names or settings.use, where)
    # Also what is not used is checked: a wrong key would be found when nobody expects it.
    known = dict.fromkeys(settings.parameters, "mlforge.toml: [features]")
    made = {
        name: EXTRACTORS.get(name, modality.name, source).configured(
            settings.parameters.get(name, {}), f"mlforge.toml: [features.{name}]"
        )
        for name, source in (known | chosen).items()
    }
    for name in chosen if learning else ():
        made[name].require_modules(made[name].fits_with)
    return [made[name].bound_to(modality) for name in chosen]


def extract_features(
    extractors: Sequence[Extractor], examples: Sequence[Any]
) -> npt.NDArray[np.float32]:
    """Return the joined features of decoded examples, ``n_examples x n_features``."""
    return np.hstack([extractor.extract(examples) for extractor in extractors])


def feature_matrix(
    workspace: Workspace,
    extractors: Sequence[Extractor],
    files: Sequence[ExampleFile],
    engine: LocalEngine,
    reporter: Reporter,
) -> npt.NDArray[np.float32]:
    """Return the joined features of files, ``n_examples x n_features``, in their order.

    Raises
    ------
    DataError
        If a file is gone, was changed since its digest was taken, or cannot be decoded.
    """
    digests = [file.digest for file in files]
    caches = [_cache(workspace, extractor) for extractor in extractors]
    rows = [cache.load(digests) for cache in caches]
    by_digest = {file.digest: file for file in files}
    missing = [f for d, f in by_digest.items() if any(d not in found for found in rows)]
    wanted = [
        extractor
        for extractor, found in zip(extractors, rows, strict=True)
        if any(file.digest not in found for file in missing)
    ]
    if missing:
        made = _extract_missing(workspace.modality, wanted, missing, engine, reporter)
        for extractor, values in zip(wanted, made, strict=True):
            index = extractors.index(extractor)
            caches[index].store([file.digest for file in missing], values)
            rows[index].update(zip((file.digest for file in missing), values, strict=True))
    matrix = np.empty((len(files), sum(len(e.names()) for e in extractors)), np.float32)
    start = 0
    for extractor, found in zip(extractors, rows, strict=True):
        stop = start + len(extractor.names())
        for row, digest in enumerate(digests):
            matrix[row, start:stop] = found[digest]
        start = stop
    return matrix


def reduced_examples(
    workspace: Workspace,
    extractors: Sequence[LearningExtractor],
    files: Sequence[ExampleFile],
    engine: LocalEngine,
    reporter: Reporter,
) -> dict[str, npt.NDArray[Any]]:
    """Return the examples in files as extractors that learn take them, by the extractor's name.

    Raises
    ------
    DataError
        If a file is gone, was changed since its digest was taken, or cannot be decoded.
    """
    if not extractors:
        return {}
    chunks = _chunks(workspace.modality, extractors, files)
    with reporter.progress("reading examples", len(files)) as advance:
        whole = _joined(engine.map(_reduce_chunk, chunks), len(files), advance)
    return dict(zip((extractor.name for extractor in extractors), whole, strict=True))


def _cache(workspace: Workspace, extractor: Extractor) -> FeatureCache:
    key = digest_json(
        {
            "extractor": extractor.name,
            "parameters": extractor.parameters(),
            "revision": extractor.revision,
            "state": {name: digest_bytes(data) for name, data in extractor.state().items()},
            "modality": [workspace.modality.name, workspace.modality.parameters()],
            "versions": extractor.versions() | workspace.modality.versions(),
        }
    )
    folder = workspace.layout.cache
    return FeatureCache(folder, f"{extractor.name}-{key[:16]}", len(extractor.names()))


@dataclass(frozen=True)
class _Chunk(Generic[Kind]):
    modality: Modality
    extractors: tuple[Kind, ...]
    files: tuple[ExampleFile, ...]


def _chunks(
    modality: Modality, extractors: Sequence[Kind], files: Sequence[ExampleFile]
) -> list[_Chunk[Kind]]:
    return [
        _Chunk(modality, tuple(extractors), tuple(files[start : start + _CHUNK]))
        for start in range(0, len(files), _CHUNK)
    ]


def _extract_missing(
    modality: Modality,
    extractors: Sequence[Extractor],
    files: Sequence[ExampleFile],
    engine: LocalEngine,
    reporter: Reporter,
) -> list[npt.NDArray[np.float32]]:
    """Return the features of `files`, one matrix an extractor."""
    chunks = _chunks(modality, extractors, files)
    with reporter.progress("extracting features", len(files)) as advance:
        return _joined(engine.map(_extract_chunk, chunks), len(files), advance)


def _joined(
    outcomes: Iterable[Outcome[list[npt.NDArray[Any]]]], n_examples: int, advance: Advance
) -> list[npt.NDArray[Any]]:
    """Return the arrays of all chunks in one each; none is held twice."""
    whole: list[npt.NDArray[Any]] = []
    start = 0
    for outcome in outcomes:
        parts = outcome.unwrap()
        whole = whole or [np.empty((n_examples, *part.shape[1:]), part.dtype) for part in parts]
        stop = start + len(parts[0])
        for array, part in zip(whole, parts, strict=True):
            array[start:stop] = part
        advance(stop - start)
        start = stop
    return whole


def _extract_chunk(chunk: _Chunk[Extractor]) -> list[npt.NDArray[np.float32]]:
    """Decode each file once and extract everything from it; run by a worker."""
    examples = [_decode(chunk.modality, file) for file in chunk.files]
    return [extractor.extract(examples) for extractor in chunk.extractors]


def _reduce_chunk(chunk: _Chunk[LearningExtractor]) -> list[npt.NDArray[Any]]:
    """Decode each file once and bring it to each extractor's size; run by a worker."""
    examples = [_decode(chunk.modality, file) for file in chunk.files]
    return [np.stack([e.reduced(example) for example in examples]) for e in chunk.extractors]


def _name(path: Path) -> str:
    """Return CATEGORY/FILE: a project has a folder for seeds and one for samples between."""
    parent = path.parent
    category = parent.parent if parent.name in {"seeds", "samples"} else parent
    return f"{category.name}/{path.name}"


def _decode(modality: Modality, file: ExampleFile) -> Any:
    name = printable(_name(file.path))
    if not file.path.is_file():
        raise DataError(f"{name}: the file is gone", "mlforge samples generate")
    data = read_bytes(file.path)
    if digest_bytes(data) != file.digest:
        raise DataError(
            f"{name}: the file is not what it was when it was made or listed",
            "mlforge samples generate --force",
        )
    try:
        return modality.decode(data)
    except SampleError as error:
        raise type(error)(f"{name}: {error.message}", error.hint) from None
