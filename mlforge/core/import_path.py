"""Where Python processes that mlforge starts may import from.

A folder of data may hold a ``random.py``. Python looks for modules in the current folder first
where a process is started with ``-m`` or ``-c``, and wherever ``PYTHONPATH`` has an empty part.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

__all__ = ["child_environment", "inherited", "safe_path"]

_CHANGING = Lock()
_OURS = {os.path.realpath(p) for p in (f"{__file__}/../../..", f"{os.__file__}/..")}


def safe_path(path: Sequence[str] | None = None) -> list[str]:
    """Return `path`, or `sys.path`, without the current folder.

    The folder where mlforge or Python itself is installed stays, whatever the current folder is.
    """
    entries = sys.path if path is None else path
    try:
        here = os.path.realpath(Path.cwd())
    except FileNotFoundError:
        # Removed meanwhile: nothing is imported from there.
        here = ""
    return [e for e in entries if e and (os.path.realpath(e) != here or here in _OURS)]


def child_environment() -> dict[str, str]:
    """Return the environment for a Python process that imports what this one may, and no more.

    Neither the current folder nor a file of the user's site is looked at.
    """
    return {**os.environ, **_guards()}


@contextmanager
def inherited() -> Iterator[None]:
    """Let processes that a library starts with this process's own environment have that one."""
    with _CHANGING:
        before = {name: os.environ.get(name) for name in _guards()}
        os.environ.update(_guards())
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _guards() -> dict[str, str]:
    return {
        "PYTHONSAFEPATH": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONPATH": os.pathsep.join(safe_path()),
    }
