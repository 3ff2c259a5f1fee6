"""The one place where files are written: whole or not at all.

A write goes to a temporary file in the same folder, is synced, and replaces the old file in one
step; the folder is synced after it. Whoever reads sees the old bytes or the new ones. An error of
the operating system becomes a `StorageError` that names the file and what can be done.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mlforge.core.digest import json_bytes
from mlforge.core.names import printable
from mlforge.errors import StorageError

__all__ = [
    "append_lines",
    "file_errors",
    "make_folder",
    "move",
    "read_bytes",
    "remove_file",
    "remove_temporaries",
    "remove_tree",
    "sync_folder",
    "write_batch",
    "write_bytes",
    "write_json",
    "write_text",
]

TEMPORARY_PREFIX = ".mlforge-tmp-"

_HINTS = {
    errno.ENOSPC: "free some disk space and run the same command again",
    errno.EDQUOT: "free some of your disk quota and run the same command again",
    errno.EROFS: "the file system is read-only; work on a copy elsewhere",
    errno.EACCES: "check the permissions of the file and its folder",
    errno.EPERM: "check the permissions of the file and its folder",
    errno.EMFILE: "too many files are open; raise the limit with 'ulimit -n 4096'",
    errno.EIO: "the disk reports an error; check it, then run the same command again",
    errno.ENAMETOOLONG: "use shorter names",
}


@contextmanager
def file_errors(path: Path, action: str) -> Iterator[None]:
    """Turn an operating system's error about `path` into a `StorageError`."""
    try:
        yield
    except OSError as error:
        what = os.strerror(error.errno) if error.errno else str(error)
        raise StorageError(
            f"{printable(str(path))}: cannot {action}: {what}", _HINTS.get(error.errno or 0, "")
        ) from error


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes."""
    with file_errors(path, "read"):
        return path.read_bytes()


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, and return once it is on the disk."""
    with file_errors(path, "write"):
        _replace([(path, data)])
        sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text as `write_bytes` does."""
    write_bytes(path, json_bytes(text))


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document that people can read, as `write_bytes` does."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_batch(files: Sequence[tuple[Path, bytes]], folder: Path) -> None:
    """Write several files of one folder, each whole; return once all are on the disk.

    They are synced after the last is written, which costs a fraction of syncing one by one.
    """
    with file_errors(folder, "write"):
        _replace(files)
        sync_folder(folder)


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Add lines to a file and sync it. A torn last line, after a crash, is the reader's to drop."""
    with file_errors(path, "write"), path.open("ab") as file:
        file.write(json_bytes("".join(f"{line}\n" for line in lines)))
        file.flush()
        os.fsync(file.fileno())


def make_folder(path: Path) -> None:
    """Make a folder and those above it."""
    with file_errors(path, "make the folder"):
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        path.mkdir(parents=True, exist_ok=True)
        for made in missing:
            sync_folder(made.parent)


def move(source: Path, target: Path) -> None:
    """Move a file or folder within one file system; `target` must not exist as a folder."""
    with file_errors(target, "move"):
        source.replace(target)
        sync_folder(target.parent)
        if source.parent != target.parent:
            sync_folder(source.parent)


def remove_file(path: Path) -> None:
    """Remove a file if it is there."""
    with file_errors(path, "remove"):
        path.unlink(missing_ok=True)


def remove_tree(path: Path) -> None:
    """Remove a folder of files that mlforge made."""
    with file_errors(path, "remove"), suppress(FileNotFoundError):
        shutil.rmtree(path)


def remove_temporaries(folder: Path) -> None:
    """Remove what an interrupted write left in `folder`. Call it only under the project's lock."""
    if not folder.is_dir():
        return
    for path in folder.glob(f"{TEMPORARY_PREFIX}*"):
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        else:
            remove_file(path)


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that a rename in it survives a crash."""
    _sync(folder)


def _replace(files: Sequence[tuple[Path, bytes]]) -> None:
    """Write each file beside its place, sync them all, then put each into its place."""
    prefix = f"{TEMPORARY_PREFIX}{os.getpid()}-{threading.get_ident()}"
    written: list[tuple[Path, Path]] = []
    try:
        for number, (path, data) in enumerate(files):
            temporary = path.with_name(f"{prefix}-{number}")
            written.append((temporary, path))
            with temporary.open("wb") as file:
                file.write(data)
        for temporary, _ in written:
            _sync(temporary)
        for temporary, path in written:
            temporary.replace(path)
    except BaseException:
        for temporary, _ in written:
            with suppress(OSError):
                temporary.unlink()
        raise


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
