"""A disk that fails, or ends the process, at a chosen operation."""

from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["Disk"]


class Disk:
    """Stands before the operating system and fails the chosen operation.

    Parameters
    ----------
    fail_at
        The number of the first operation that fails, from 1; 0 for none.
    number
        The error it fails with; 0 to kill the process instead.
    sticky
        Whether all later ones fail too.
    """

    def __init__(self, fail_at: int = 0, number: int = 0, *, sticky: bool = False) -> None:
        self.fail_at, self.number, self.sticky = fail_at, number, sticky
        self.count = 0
        self._lock = threading.Lock()

    def tick(self) -> None:
        """Count an operation, and fail where it is the chosen one."""
        with self._lock:
            self.count += 1
            count = self.count
        if self.fail_at and (count == self.fail_at or (self.sticky and count > self.fail_at)):
            if self.number:
                raise OSError(self.number, os.strerror(self.number))
            os.kill(os.getpid(), signal.SIGKILL)

    def install(self, replace: Callable[[Any, str, Any], None] = setattr) -> None:
        """Stand before the operating system.

        Parameters
        ----------
        replace
            Puts a function in place of another; a test's own puts it back afterwards.
        """
        replace(io, "open", self._opening(io.open))
        # Syncing counts and fails like the rest, and is not waited for.
        replace(os, "fsync", self._counting(lambda descriptor: None))
        for name in ("open", "replace", "rename", "unlink", "rmdir", "mkdir"):
            replace(os, name, self._counting(getattr(os, name)))

    def _counting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self.tick()
            return function(*arguments, **options)

        return counted

    def _opening(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def opened(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            self.tick()
            made = function(file, mode, *arguments, **options)
            return _File(made, self) if set(mode) & set("wax+") else made

        return opened


class _File:
    """A file that is written to; what may reach the disk counts as an operation."""

    def __init__(self, file: Any, disk: Disk) -> None:
        self._file, self._disk = file, disk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *arguments: object) -> None:
        self._file.close()

    def write(self, data: Any) -> int:
        self._disk.tick()
        return int(self._file.write(data))

    def writelines(self, parts: Iterable[Any]) -> None:
        for part in parts:
            self.write(part)

    def flush(self) -> None:
        self._disk.tick()
        self._file.flush()

    def truncate(self, size: int | None = None) -> int:
        self._disk.tick()
        return int(self._file.truncate(size))
