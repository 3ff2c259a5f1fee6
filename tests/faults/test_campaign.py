"""The campaign in short form: a few trials of every figure, by the code of the full form."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from campaign._trials import Figure, Outcome
from campaign.figures import FIGURES

ROOT = Path(__file__).resolve().parents[2]
# So many trials take a few seconds each; `make campaign` makes all of them.
SHARES = {
    1: 0.0003, 2: 0.01, 3: 0.0003, 4: 0.06, 5: 0.04, 6: 0.015, 7: 0.005, 8: 0.5,
    9: 0.022, 10: 0.04, 11: 0.005, 12: 0.01, 14: 0.01, 15: 1.0,
}  # fmt: skip


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: f"figure {figure.number}")
def test_a_figure_holds(figure: Figure) -> None:
    """Each in a process of its own: trials are forked from it, and this one has threads."""
    share = str(SHARES[figure.number])
    command = [sys.executable, "-m", "campaign", "--figure", str(figure.number), "--size", share]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    *_, line = done.stdout.splitlines()
    assert line.split()[0] == str(figure.number)


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
