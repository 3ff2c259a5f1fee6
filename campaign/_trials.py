"""Trials: each in a process of its own, forked from one that has imported everything."""

from __future__ import annotations

import importlib
import os
import pkgutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from mlforge.errors import MlforgeError

__all__ = [
    "BUG",
    "HUNG",
    "Ended",
    "Figure",
    "Outcome",
    "Trial",
    "command",
    "forked",
    "import_everything",
    "places",
    "side_by_side",
    "wait_at_most",
]

BUG = 70
HUNG = 124
# What mlforge imports only where it is needed.
_LIBRARIES = (
    "PIL.PngImagePlugin", "jinja2", "onnx", "onnxruntime", "pydantic.dataclasses",
    "sklearn.linear_model",
)  # fmt: skip
_PAUSE = 0.005  # seconds
_patience = 600.0  # seconds


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes
    ----------
    code
        Its exit code; negative where a signal ended it, and `HUNG` where nobody would wait longer.
    output
        What it wrote to stdout and stderr.
    cpu
        The processor's time that it took, in seconds.
    peak
        The most memory that it had, in bytes.
    """

    code: int
    output: str
    cpu: float
    peak: int


@dataclass
class Outcome:
    """What the trials of a figure showed.

    Attributes
    ----------
    n_trials
        How many there were.
    problems
        What went wrong, a line each.
    measured
        What else is worth saying.
    """

    n_trials: int = 0
    problems: list[str] = field(default_factory=list)
    measured: str = ""

    def hold(self, holds: object, otherwise: str) -> None:
        """Note a trial's problem unless it `holds`."""
        if not holds:
            self.problems.append(otherwise)


@dataclass(frozen=True)
class Figure:
    """One thing that must hold.

    Attributes
    ----------
    number
        Its number.
    title
        What is done, and what must hold.
    n_full
        How many trials the full form makes.
    run
        Makes about so many trials in a folder of its own.
    """

    number: int
    title: str
    n_full: int
    run: Callable[[int, Path], Outcome]


def wait_at_most(seconds: float) -> None:
    """Set how long any trial may take before it counts as one that hangs."""
    global _patience
    _patience = seconds


class Trial:
    """An action in a process of its own, whose group is killed where the block ends before it.

    Parameters
    ----------
    action
        What to do; an `MlforgeError` becomes its exit code, another exception `BUG`.
    """

    def __init__(self, action: Callable[[], object]) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the trial
        self._left: tuple[int, Any] | None = None
        self._child = os.fork()
        if self._child == 0:
            _be_child(action, self._output.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *arguments: object) -> None:
        self._kill()
        self._output.close()

    def ended(self, kill_after: float | None = None) -> Ended:
        """Wait until it ends, and tell how.

        Parameters
        ----------
        kill_after
            Seconds after which it is killed; None for when nobody would wait any longer.
        """
        deadline = time.monotonic() + (_patience if kill_after is None else kill_after)
        hangs = False
        while not self._has_left(os.WNOHANG):
            if time.monotonic() < deadline:
                time.sleep(_PAUSE)
            else:
                hangs = kill_after is None
                self._kill()
        return self._told(hangs=hangs)

    def _has_left(self, options: int) -> bool:
        if self._left is None:
            child, status, usage = os.wait4(self._child, options)
            self._left = (status, usage) if child else None
        return self._left is not None

    def _kill(self) -> None:
        if self._left is not None:
            return
        try:
            os.killpg(self._child, signal.SIGKILL)
        except ProcessLookupError:
            # It does not lead a group yet, and has started nothing.
            os.kill(self._child, signal.SIGKILL)
        self._has_left(0)

    def _told(self, *, hangs: bool) -> Ended:
        assert self._left is not None
        status, usage = self._left
        self._output.seek(0)
        text = self._output.read().decode(errors="replace")
        code = os.waitstatus_to_exitcode(status)
        if hangs:
            code, text = HUNG, f"{text}\nno end within {_patience:.0f} s"
        # Linux counts in KiB, macOS in bytes.
        unit = 1 if sys.platform == "darwin" else 1024
        return Ended(code, text, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)


def forked(action: Callable[[], object], kill_after: float | None = None) -> Ended:
    """Run `action` in a process of its own, as the command line would tell its end; see `Trial`."""
    with Trial(action) as trial:
        return trial.ended(kill_after)


def side_by_side(actions: Sequence[Callable[[], object]]) -> list[Ended]:
    """Run actions at once, each in a process; return how they ended, in their order."""
    # Without threads: a fork would copy the locks that another thread holds.
    with ExitStack() as stack:
        trials = [stack.enter_context(Trial(action)) for action in actions]
        return [trial.ended() for trial in trials]


def command(*arguments: str | Path) -> Ended:
    """Run an mlforge command in a process of its own."""

    def run() -> None:
        from mlforge.cli.main import main

        sys.argv = ["mlforge", *map(str, arguments)]
        main()

    return forked(run)


def import_everything() -> None:
    """Import what trials use, so that none of them has to."""
    import mlforge

    for module in pkgutil.walk_packages(mlforge.__path__, "mlforge."):
        # Importing this one is running the command.
        if module.name != "mlforge.__main__":
            importlib.import_module(module.name)
    for name in _LIBRARIES:
        importlib.import_module(name)


def _be_child(action: Callable[[], object], output: int) -> None:
    code = BUG
    try:
        os.setsid()
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        code = _code_of(action)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _code_of(action: Callable[[], object]) -> int:
    try:
        action()
    except MlforgeError as error:
        print(f"error: {error.message}\nhint: {error.hint}")
        return error.exit_code
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else BUG
    except BaseException:  # noqa: BLE001 - whatever it is, it is the trial's end
        traceback.print_exc()
        return BUG
    return 0


def places(n_operations: int, n_trials: int) -> Sequence[int]:
    """Return at most `n_trials` numbers from 1 to `n_operations`, evenly spread."""
    n = min(n_trials, n_operations)
    return sorted({1 + round(k * (n_operations - 1) / max(n - 1, 1)) for k in range(n)})
