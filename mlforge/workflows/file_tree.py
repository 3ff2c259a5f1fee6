"""The files below a folder, in order, without holding them all in memory."""

from __future__ import annotations

import heapq
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mlforge.core.names import is_system_name, printable
from mlforge.core.reporting import Reporter

__all__ = ["FileTree", "TreeCount"]

# Of a folder with more entries than this, one block of names at a time is in memory.
_BLOCK = 20_000


@dataclass(frozen=True)
class TreeCount:
    """What lies below a folder.

    Attributes
    ----------
    n_files
        Files of the suffixes that count.
    n_before
        Those of them up to the file that was asked about.
    n_other_files
        Files of other kinds.
    """

    n_files: int
    n_before: int
    n_other_files: int


class FileTree:
    """The files of some suffixes below a folder.

    Folders that are links, or cannot be read, are left out and said once.

    Parameters
    ----------
    root
        The folder.
    left_out
        A folder below it that is no part of it.
    suffixes
        The suffixes that count, lower case, with the dot.
    reporter
        Takes the warnings.
    """

    def __init__(
        self, root: Path, left_out: Path, suffixes: tuple[str, ...], reporter: Reporter
    ) -> None:
        self.root = root
        self._suffixes = suffixes
        self._reporter = reporter
        self._said: set[str] = set()
        self._left_out = _inside(root, left_out)

    def count(self, after: str = "") -> TreeCount:
        """Count the files, and those of them up to and with the file `after`."""
        counts: Counter[str] = Counter()
        for folder in self._folders():
            for key in self._keys(folder):
                if not key.endswith("/"):
                    counts["files" if self._counts(key) else "others"] += 1
                    counts["before"] += self._counts(key) and key <= after
        return TreeCount(counts["files"], counts["before"], counts["others"])

    def files(self, after: str = "") -> Iterator[str]:
        """Give the files after `after`, relative to the folder, in order of their paths.

        A folder of many files is scanned once for each block of names, so that what is in memory
        does not grow with it; a file that comes or goes meanwhile is given once or not at all.
        """

        def wanted(key: str) -> bool:
            if key.endswith("/"):
                # A folder that `after` lies in is gone on with.
                return key > after or after.startswith(key)
            return key > after and self._counts(key)

        return (key for key in self._walk(wanted) if not key.endswith("/"))

    def _folders(self) -> Iterator[str]:
        yield ""
        yield from self._walk(lambda key: key.endswith("/"))

    def _walk(self, wanted: Callable[[str], bool]) -> Iterator[str]:
        """Give the wanted keys in order, each folder's before those of what lies in it."""
        stack = [self._ordered("", wanted)]
        while stack:
            key = next(stack[-1], None)
            if key is None:
                stack.pop()
                continue
            yield key
            if key.endswith("/"):
                stack.append(self._ordered(key, wanted))

    def _ordered(self, prefix: str, wanted: Callable[[str], bool]) -> Iterator[str]:
        """Give the wanted keys of one folder in order, a block in memory at a time."""
        last = ""
        while True:
            keys = (key for key in self._keys(prefix) if key > last and wanted(key))
            block = heapq.nsmallest(_BLOCK, keys)
            yield from block
            if len(block) < _BLOCK:
                return
            last = block[-1]

    def _keys(self, prefix: str) -> Iterator[str]:
        """Give the keys of one folder in the file system's order; a folder's ends in a slash.

        With the slash, the order of the keys is the order of all paths below them.
        """
        try:
            with os.scandir(self.root / prefix) as entries:
                for entry in entries:
                    key = self._key(prefix, entry)
                    if key is not None:
                        yield key
        except OSError as error:
            self._say(prefix, str(error.strerror))

    def _key(self, prefix: str, entry: os.DirEntry[str]) -> str | None:
        if is_system_name(entry.name):
            return None
        key = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            return None if key == self._left_out else f"{key}/"
        if entry.is_symlink() and _leads_to_folder(entry):
            self._say(key, "a link to a folder")
            return None
        return key

    def _counts(self, key: str) -> bool:
        # Of a million names each would be kept by `Path`, which interns what it is made of.
        name = key.rpartition("/")[2].lower()
        return name.endswith(self._suffixes) and name not in self._suffixes

    def _say(self, key: str, reason: str) -> None:
        if key not in self._said:
            self._said.add(key)
            self._reporter.warn(f"{printable(str(self.root / key))}: left out: {reason}")


def _inside(root: Path, path: Path) -> str | None:
    """Return `path` relative to `root`; None where it lies elsewhere."""
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return None


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # Such as a link to itself: a file that cannot be read.
        return False
