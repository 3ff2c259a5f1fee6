"""The one place where files are written: whole or not at all.

A write goes to a temporary file in the same folder, is synced, and replaces the old file in one
step; the folder is synced after it. Whoever reads sees the old bytes or the new ones. An error of
the operating system becomes a `StorageError` that names the file and what can be done. No link is
followed to what is written: a project that somebody else made could lead anywhere.
"""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import stat
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from mlforge.core.digest import json_bytes
from mlforge.core.names import printable
from mlforge.core.units import format_size
from mlforge.errors import StorageError

__all__ = [
    "append_lines",
    "file_errors",
    "free_name",
    "make_folder",
    "move",
    "move_files",
    "open_new",
    "open_plain",
    "open_to_append",
    "opened_to_lock",
    "read_bytes",
    "read_plain",
    "read_start",
    "real_path",
    "remove_file",
    "remove_folder",
    "remove_temporaries",
    "remove_tree",
    "require_space",
    "rewrite_json",
    "sync_folder",
    "write_batch",
    "write_bytes",
    "write_json",
    "write_parts",
    "write_text",
]

TEMPORARY_PREFIX = ".mlforge-tmp-"
# Threads that wait for the disk together: it syncs several files at once hardly slower than one.
_WRITERS = 4
# So much of a file's name stands in that of its temporary one, which must not become too long.
_N_OF_NAME = 40

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


def real_path(path: Path) -> Path:
    """Return where a path leads; `Path.resolve` raises where a link leads to itself."""
    return Path(os.path.realpath(path))


def read_start(path: Path, n_bytes: int) -> bytes:
    """Return a file's first bytes."""
    with file_errors(path, "read"), path.open("rb") as file:
        return file.read(n_bytes)


def read_plain(path: Path, max_bytes: int) -> bytes | None:
    """Return the bytes of a plain file, one more than `max_bytes` at most.

    None where there is none, or a link or anything else in its place.
    """
    with file_errors(path, "read"):
        try:
            descriptor = open_plain(path, os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if descriptor is None:
            return None
        with os.fdopen(descriptor, "rb") as file:
            return file.read(max_bytes + 1)


def open_plain(path: Path, flags: int) -> int | None:
    """Return the descriptor of a plain file; None where a link or a device is in its place."""
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            return None
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


def open_to_append(path: Path) -> BinaryIO:
    """Open a plain file to add to it, and make it where there is none.

    Raises
    ------
    StorageError
        If a link or anything else is in its place, or the disk refuses.
    """
    with file_errors(path, "write"):
        # One call, which the tests can let fail as a whole; the built-in one is not theirs.
        return io.open(path, "ab", opener=_descriptor_to_append)  # noqa: UP020


@contextmanager
def opened_to_lock(path: Path) -> Iterator[int]:
    """Open a plain file to lock it, make it where there is none; give its descriptor.

    Raises
    ------
    StorageError
        If a link or anything else is in its place, or the disk refuses.
    """
    with file_errors(path, "lock"):
        descriptor = _descriptor_to_append(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _descriptor_to_append(
    path: str | Path, flags: int = os.O_WRONLY | os.O_APPEND | os.O_CREAT
) -> int:
    descriptor = open_plain(Path(path), flags)
    if descriptor is None:
        raise StorageError(
            f"{printable(str(path))}: a link, or not a plain file", "remove it, and try again"
        )
    return descriptor


def open_new(path: Path) -> BinaryIO:
    """Make a temporary file and open it to write; what has its name is removed, never followed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o666)
    except FileExistsError:
        path.unlink()
        descriptor = os.open(path, flags, 0o666)
    return os.fdopen(descriptor, "wb")


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, and return once it is on the disk."""
    write_parts(path, (data,))


def write_parts(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file as `write_bytes` does, from parts that need not be in memory together."""
    who = f"{os.getpid()}-{threading.get_ident()}"
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{who}.{path.name[-_N_OF_NAME:]}")
    with file_errors(path, "write"):
        try:
            with open_new(temporary) as file:
                file.writelines(parts)
            _sync(temporary)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text as `write_bytes` does."""
    write_bytes(path, json_bytes(text))


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document that people can read, as `write_bytes` does."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def rewrite_json(path: Path, value: Any) -> None:
    """Write a JSON document in place of one, and remove what killed writes of it left.

    Call it under the lock of those who write it.
    """
    for left in path.parent.glob(f"{TEMPORARY_PREFIX}*.{path.name}"):
        remove_file(left)
    write_json(path, value)


def write_batch(files: Iterable[tuple[Path, bytes]], folder: Path) -> None:
    """Write several files of one folder, each whole; return once all are on the disk.

    They are written and synced beside the work of whoever makes them, so that `files` should give
    one after the other; none is in its place before all are on the disk.
    """
    prefix = f"{TEMPORARY_PREFIX}{os.getpid()}-{threading.get_ident()}"
    places: list[tuple[Path, Path]] = []
    with ThreadPoolExecutor(_WRITERS) as pool:
        try:
            writes = []
            for number, (path, data) in enumerate(files):
                places.append((path.with_name(f"{prefix}-{number}"), path))
                writes.append(pool.submit(_write_synced, places[-1][0], data))
            with file_errors(folder, "write"):
                for write in writes:
                    write.result()
                for temporary, path in places:
                    temporary.replace(path)
                sync_folder(folder)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            for temporary, _ in places:
                with suppress(OSError):
                    temporary.unlink()
            raise


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Add lines to a file and sync it. A torn last line, after a crash, is the reader's to drop."""
    with file_errors(path, "write"), open_to_append(path) as file:
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


def free_name(folder: Path, name: str) -> Path:
    """Return a path in `folder` for `name` that nothing has yet, unique without case.

    A leading dot goes: files that are hidden are no seeds.
    """
    name = name.lstrip(".")
    taken = {path.name.casefold() for path in folder.iterdir()}
    stem, dot, suffix = name.rpartition(".")
    stem, suffix = (stem, f"{dot}{suffix}") if stem else (name, "")
    candidate, number = name, 2
    while candidate.casefold() in taken:
        candidate, number = f"{stem}-{number}{suffix}", number + 1
    return folder / candidate


def move(source: Path, target: Path) -> None:
    """Move a file or folder within one file system; `target` must not exist as a folder."""
    with file_errors(target, "move"):
        source.replace(target)
        sync_folder(target.parent)
        if source.parent != target.parent:
            sync_folder(source.parent)


def move_files(names: Iterable[str], source: Path, target: Path) -> None:
    """Move files of those names from one folder to another of the same file system."""
    with file_errors(target, "move files to"):
        for name in names:
            (source / name).replace(target / name)
        sync_folder(target)
        sync_folder(source)


def remove_file(path: Path) -> None:
    """Remove a file if it is there."""
    with file_errors(path, "remove"):
        path.unlink(missing_ok=True)


def remove_folder(path: Path) -> None:
    """Remove an empty folder."""
    with file_errors(path, "remove"):
        path.rmdir()


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


def require_space(folder: Path, n_bytes: int, what: str) -> None:
    """Raise `StorageError` unless the disk that holds `folder` has room for `what`."""
    place = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    with file_errors(place, "ask for the free space of"):
        free = shutil.disk_usage(place).free
    if n_bytes > free:
        raise StorageError(
            f"{printable(str(folder))}: {what} would take about {format_size(n_bytes)}, "
            f"and {format_size(free)} are free",
            "free some disk space, or ask for less",
        )


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that a rename in it survives a crash."""
    _sync(folder)


def _write_synced(path: Path, data: bytes) -> None:
    with open_new(path) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
