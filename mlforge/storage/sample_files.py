"""Which files of a samples folder mlforge made: it removes and replaces those and no others."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from mlforge.core.digest import json_bytes
from mlforge.storage.files import (
    read_bytes,
    remove_file,
    remove_folder,
    remove_temporaries,
    write_parts,
)
from mlforge.storage.manifest import FILE_NAME, is_sample_name, named_files

__all__ = ["files_like_samples", "forget_files", "note_files", "own_files", "remove_samples"]

# What a run is about to make or to remove; it is gone once the manifest says all of it.
NOTE_FILE = "unfinished.txt"


def files_like_samples(folder: Path) -> set[str]:
    """Return the names of all that is named like a sample, whoever made it."""
    return {path.name for path in folder.glob("sample_*")}


def own_files(folder: Path, names: Collection[str]) -> set[str]:
    """Return those of `names` that mlforge made: its manifest names them, or an interrupted run."""
    if not names:
        return set()
    known = {*named_files(folder), *_noted(folder)}
    return {name for name in names if name in known and not _is_folder(folder / name)}


def note_files(folder: Path, names: Collection[str]) -> None:
    """Note what is about to be made or removed, so that it is known for ours after a crash."""
    if names:
        lines = (json_bytes(f"{name}\n") for name in sorted(names))
        write_parts(folder / NOTE_FILE, lines)


def forget_files(folder: Path) -> None:
    """Remove the note: the manifest is whole, and nothing else of ours is there."""
    remove_file(folder / NOTE_FILE)


def remove_samples(folder: Path) -> tuple[int, list[str]]:
    """Remove the samples of a folder, its manifest, and the folder if nothing else is in it.

    Call it only under the project's lock.

    Returns
    -------
    int
        How many samples were removed.
    list of str
        The names of what was left, since mlforge did not make it.
    """
    if not folder.is_dir():
        return 0, []
    own = own_files(folder, files_like_samples(folder))
    note_files(folder, own)
    remove_file(folder / FILE_NAME)
    for name in own:
        remove_file(folder / name)
    forget_files(folder)
    remove_temporaries(folder)
    left = sorted(path.name for path in folder.iterdir())
    if not left:
        remove_folder(folder)
    return len(own), left


def _noted(folder: Path) -> set[str]:
    path = folder / NOTE_FILE
    if not path.is_file():
        return set()
    return set(filter(is_sample_name, read_bytes(path).decode(errors="replace").splitlines()))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
