"""What services answered: kept by content, so that the same request is never paid twice."""

from __future__ import annotations

import json
import re
from pathlib import Path

from mlforge.core.digest import canonical_json, digest_bytes
from mlforge.storage.files import (
    append_lines,
    make_folder,
    read_bytes,
    remove_temporaries,
    write_bytes,
    write_text,
)

__all__ = ["ResponseStore"]

INDEX_FILE = "index.jsonl"
_DIGEST = re.compile(r"[0-9a-f]{64}")


class ResponseStore:
    """The answers of one category, each a file named by the digest of its bytes.

    An index says which request each is the answer to, by the request's identity; where a request
    stands there twice, its last line counts. An answer is on the disk before its line is, so that a
    crash at any moment loses at most the answer that was being written. A file that no longer has
    its name's digest is no answer.

    Reading writes nothing and needs no lock. Store and keep only under the project's lock.

    Parameters
    ----------
    folder
        The category's folder of answers; made when the first comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._digests: dict[str, str] | None = None
        self._is_mended = False

    def load(self, identity: str) -> bytes | None:
        """Return the answer to a request; None where there is none."""
        digest = self._index().get(identity)
        return None if digest is None else self._intact(digest)

    def store(self, identity: str, data: bytes) -> None:
        """Keep the answer to a request."""
        digest = self.keep(data).name
        index = self._index()
        if index.get(identity) != digest:
            line = canonical_json({"request": identity, "answer": digest})
            append_lines(self.folder / INDEX_FILE, [line])
            index[identity] = digest

    def keep(self, data: bytes) -> Path:
        """Keep something that was found in an answer, and return its file."""
        self._mend()
        path = self.find(data)
        if path is None:
            make_folder(self.folder)
            path = self.folder / digest_bytes(data)
            write_bytes(path, data)
        return path

    def find(self, data: bytes) -> Path | None:
        """Return the file of something that was kept; None where it is not."""
        digest = digest_bytes(data)
        return None if self._intact(digest) is None else self.folder / digest

    def _intact(self, digest: str) -> bytes | None:
        path = self.folder / digest
        # A link may lead anywhere; what it leads to was not written here.
        if path.is_symlink() or not path.is_file():
            return None
        data = read_bytes(path)
        return data if digest_bytes(data) == digest else None

    def _index(self) -> dict[str, str]:
        if self._digests is None:
            self._digests = self._read_index()
        return self._digests

    def _read_index(self) -> dict[str, str]:
        path = self.folder / INDEX_FILE
        lines = read_bytes(path).split(b"\n") if path.is_file() else []
        return dict(entry for entry in map(_entry, lines) if entry)

    def _mend(self) -> None:
        """Remove what interrupted writes left, once."""
        if self._is_mended:
            return
        remove_temporaries(self.folder)
        path = self.folder / INDEX_FILE
        if path.is_file() and read_bytes(path)[-1:] not in {b"", b"\n"}:
            # A crash tore the last line, and the next would be glued to it.
            entries = self._index().items()
            rewritten = [canonical_json({"request": r, "answer": d}) for r, d in entries]
            write_text(path, "".join(f"{line}\n" for line in rewritten))
        self._is_mended = True


def _entry(line: bytes) -> tuple[str, str] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    match value:
        case {"request": str(request), "answer": str(answer)}:
            # The answer's digest becomes the name of a file.
            if _DIGEST.fullmatch(request) and _DIGEST.fullmatch(answer):
                return request, answer
    return None
