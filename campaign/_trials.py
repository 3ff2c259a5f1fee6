"""Trials: each in a process of its own, forked from one that has imported everything."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlforge.errors import MlforgeError

__all__ = [
    "BUG",
    "Ended",
    "Figure",
    "Outcome",
    "command",
    "forked",
    "import_everything",
    "places",
]

BUG = 70
_PATIENCE = 600.0  # seconds


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes
    ----------
    code
        Its exit code; negative where a signal ended it.
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


def forked(action: Callable[[], object], kill_after: float | None = None) -> Ended:
    """Run `action` in a process of its own, as the command line would tell its end.

    Parameters
    ----------
    action
        What to do; an `MlforgeError` becomes its exit code, another exception `BUG`.
    kill_after
        Seconds after which it is killed; None for when nobody would wait any longer.
    """
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            _be_child(action, output.fileno())
        timer = threading.Timer(
            _PATIENCE if kill_after is None else kill_after, os.kill, (child, signal.SIGKILL)
        )
        timer.start()
        _, status, usage = os.wait4(child, 0)
        timer.cancel()
        output.seek(0)
        text = output.read().decode(errors="replace")
    code = os.waitstatus_to_exitcode(status)
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return Ended(code, text, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)


def command(*arguments: str | Path) -> Ended:
    """Run an mlforge command in a process of its own."""

    def run() -> None:
        from mlforge.cli.main import main

        sys.argv = ["mlforge", *map(str, arguments)]
        main()

    return forked(run)


def import_everything() -> None:
    """Import what trials use, so that none of them has to."""
    import onnx
    import onnxruntime
    import sklearn.linear_model

    import mlforge.cli.main
    import mlforge.workflows.batch
    import mlforge.workflows.explain
    import mlforge.workflows.generate
    import mlforge.workflows.train
    import mlforge.workflows.verify

    assert all((onnx, onnxruntime, sklearn.linear_model, mlforge.cli.main))


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
