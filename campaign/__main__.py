"""``python -m campaign``: every figure, or some, at full size or smaller."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from campaign import figures
from campaign._trials import import_everything, wait_at_most


def main() -> int:
    """Run the figures that were asked for; return 1 where one misses its target."""
    parser = argparse.ArgumentParser(prog="python -m campaign", description=__doc__)
    known = {figure.number: figure for figure in figures.FIGURES}
    parser.add_argument("--figure", type=int, action="append", choices=sorted(known))
    parser.add_argument("--size", type=float, default=1.0, help="share of the full size")
    parser.add_argument("--patience", type=float, default=600.0, help="seconds for a trial")
    asked = parser.parse_args()
    wait_at_most(asked.patience)
    import_everything()
    print(f"{'figure':>6}  {'':<56} {'trials':>7}  {'failed':>6}  {'time':>7}")
    n_missed = 0
    for number in asked.figure or sorted(known):
        figure = known[number]
        start = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="campaign-") as folder:
            outcome = figure.run(max(1, round(figure.n_full * asked.size)), Path(folder))
        seconds = time.perf_counter() - start
        n_failed = len(outcome.problems)
        n_missed += n_failed > 0
        line = f"{number:>6}  {figure.title:<56} {outcome.n_trials:>7,}  {n_failed:>6,}"
        print(f"{line}  {seconds:>6.0f}s  {outcome.measured}", flush=True)
        for problem in outcome.problems[:10]:
            print(f"        {problem}", flush=True)
    return 1 if n_missed else 0


def heed_signals() -> None:
    """Let trials end with this process, and not ignore what it was started to ignore."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


if __name__ == "__main__":
    heed_signals()
    sys.exit(main())
