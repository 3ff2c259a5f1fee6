"""The project's lock: one writer at a time, however the last one ended."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlforge.storage.files import file_errors, make_folder, opened_to_lock

__all__ = ["exclusive"]


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder` while the block runs; wait for another writer to finish.

    The lock is the kernel's (``flock``): it ends with the process that holds it, so nothing ever
    needs to be unlocked by hand. Readers take none.
    """
    make_folder(folder)
    path = folder / ".lock"
    with opened_to_lock(path) as descriptor:
        with file_errors(path, "lock"):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
