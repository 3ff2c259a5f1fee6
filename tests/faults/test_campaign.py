"""The campaign in short form: a few trials of every figure, by the code of the full form."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest

from campaign._trials import HUNG, Figure, Outcome
from campaign.figures import FIGURES

ROOT = Path(__file__).resolve().parents[2]
# Seconds for one figure, and for one of its trials.
PATIENCE = 300
PATIENCE_OF_A_TRIAL = 60
# So many trials take a few seconds each; `make campaign` makes all of them.
SHARES = {
    1: 0.00015, 2: 0.006, 3: 0.00005, 4: 0.02, 5: 0.01, 6: 0.01, 7: 0.005, 8: 0.15,
    9: 0.02, 10: 0.03, 11: 0.003, 12: 0.005, 14: 0.006, 15: 1.0,
}  # fmt: skip


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: f"figure {figure.number}")
def test_a_figure_holds(figure: Figure, tmp_path: Path) -> None:
    """Each in a process of its own: trials are forked from it, and this one has threads."""
    options = ["--figure", figure.number, "--size", SHARES[figure.number]]
    command = [sys.executable, "-m", "campaign", *map(str, options)]
    command += ["--patience", str(PATIENCE_OF_A_TRIAL)]
    code, told = run_within(PATIENCE, command, tmp_path / "told")
    assert code == 0, told
    *_, line = told.splitlines()
    assert line.split()[0] == str(figure.number)


def run_within(seconds: float, command: Sequence[str], output: Path) -> tuple[int | None, str]:
    """Run a command; return its exit code, None where it took too long, and what it wrote."""
    with (
        output.open("wb") as file,
        subprocess.Popen(
            command, cwd=ROOT, stdout=file, stderr=file, start_new_session=True
        ) as process,
    ):
        code: int | None = None
        try:
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(seconds)
        finally:
            end_group(process)
    return code, output.read_text(errors="replace")


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process, which first ends its trials where it still can, and its whole group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        os.killpg(process.pid, signal.SIGKILL)


HANGS = """
import os, signal, sys
from campaign.__main__ import heed_signals
from campaign._trials import forked, wait_at_most

def hang():
    # Whoever reads it sees its end once nobody is left to write.
    held = os.open(sys.argv[2], os.O_WRONLY)
    os.fork()
    os.write(held, b"hangs ")
    while True:
        signal.pause()

heed_signals()
wait_at_most(float(sys.argv[1]))
ended = forked(hang)
print(ended.code, ended.output.strip())
"""


@contextmanager
def hanging(patience: float, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Start a trial that hangs; give its campaign, and what its two processes hold open."""
    os.mkfifo(folder / "held")
    command = [sys.executable, "-c", HANGS, str(patience), str(folder / "held")]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            with (folder / "held").open("rb") as held:
                yield process, held
        finally:
            end_group(process)


def test_a_trial_that_hangs_is_told_and_its_group_killed(tmp_path: Path) -> None:
    with hanging(1, tmp_path) as (process, held):
        assert held.read() == b"hangs hangs "
        told, _ = process.communicate(timeout=PATIENCE)
    assert told.decode() == f"{HUNG} no end within 1 s\n"


def test_a_campaign_that_is_ended_ends_its_trials(tmp_path: Path) -> None:
    with hanging(PATIENCE, tmp_path) as (process, held):
        assert held.read(12) == b"hangs hangs "
        end_group(process)
        assert held.read() == b""
    assert process.returncode == 128 + signal.SIGTERM


def test_what_does_not_hold_is_told_and_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from campaign import __main__, figures

    broken = Figure(1, "breaks", 7, lambda n, folder: Outcome(n, ["trial 3: torn"]))
    monkeypatch.setattr(figures, "FIGURES", (broken,))
    monkeypatch.setattr(__main__, "import_everything", lambda: None)
    monkeypatch.setattr(sys, "argv", ["campaign"])
    assert __main__.main() == 1
    assert "trial 3: torn" in capsys.readouterr().out
