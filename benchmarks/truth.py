"""Whether the figures are true: seeds drawn again and again, against all the other pictures.

``python -m benchmarks.truth --draws 200 --hand-signs FOLDER`` makes the table of
``docs/explanation/evaluation.md``.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks._draws import (
    Draw,
    Pictures,
    category_files,
    draw,
    folder_files,
    novelties,
    pictures_of,
)
from mlforge.evaluation.calibration import measure, scale
from mlforge.evaluation.gates import judge, parse_gate
from mlforge.evaluation.intervals import Z95, wilson_interval
from mlforge.evaluation.prediction_sets import membership

_SIZES = (5, 10, 20)
# Bounds of gates, above and below the truth.
_OFFSETS = (-0.1, -0.05, -0.02, -0.005, 0.005, 0.02, 0.05, 0.1)
_COLUMNS = (
    "pictures",
    "seeds a category",
    "draws",
    "truth",
    "estimate minus truth",
    "interval held it",
    "width / binomial's",
    "recall intervals held",
    "macro F1 interval held",
    "calibration error",
    "sets held the right one",
    "categories a set",
    "gates wrong",
    "gates decided",
    "AUROC of unknown",
)


@dataclass(frozen=True)
class _Trial:
    """What one draw of seeds said against what was true.

    Attributes
    ----------
    truth, error
        The accuracy on unseen pictures; the estimate minus it.
    held, held_f1, held_recall
        Whether the intervals held it, macro F1, and the share that held a category's recall.
    width, binomial
        Of the accuracy's interval, and of Wilson's for so many seeds at the true accuracy.
    calibration, covered, set_size
        Of the final model on the unseen pictures.
    wrong, decided
        The share of gates that were answered wrongly, and with pass or fail at all.
    """

    truth: float
    error: float
    held: float
    held_f1: float
    held_recall: float
    width: float
    binomial: float
    calibration: float
    covered: float
    set_size: float
    wrong: float
    decided: float


def main(arguments: Sequence[str] = ()) -> None:
    """Print the table, a row as it is made."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.truth", description=__doc__)
    parser.add_argument("--draws", type=int, default=4, help="draws of digits (default: 4)")
    parser.add_argument("--other-draws", type=int, help="draws of the others (default: the same)")
    parser.add_argument("--trees", type=int, default=50, help="trees of a forest (default: 50)")
    parser.add_argument(
        "--hand-signs",
        type=Path,
        default=os.environ.get("MLFORGE_TRUTH_DATA"),
        help="a folder of class folders (default: what MLFORGE_TRUTH_DATA says; else left out)",
    )
    parser.add_argument("--signs", type=int, default=0, help="drawn signs a category, from 40 on")
    options = parser.parse_args(arguments)
    print(f"| {' | '.join(_COLUMNS)} |\n|{' --- |' * len(_COLUMNS)}", flush=True)
    for pictures in _pictures(options.hand_signs, options.signs):
        n_draws = options.draws
        if pictures.name != "digits" and options.other_draws is not None:
            n_draws = options.other_draws
        for n_seeds in _SIZES:
            print(_row(pictures, n_seeds, n_draws, options.trees), flush=True)


def _pictures(hand_signs: Path | None, n_signs: int) -> Iterator[Pictures]:
    yield pictures_of("digits", category_files("digits", 174))
    if hand_signs is not None:
        yield pictures_of("hand signs", folder_files(Path(hand_signs)))
    if n_signs:
        yield pictures_of("signs", category_files("signs", n_signs))


def _row(pictures: Pictures, n_seeds: int, n_draws: int, n_trees: int) -> str:
    trials = [_trial(draw(pictures, n_seeds, number, n_trees)) for number in range(n_draws)]

    def column(name: str) -> npt.NDArray[np.float64]:
        return np.array([getattr(trial, name) for trial in trials])

    ratio = column("width").mean() / column("binomial").mean()
    aurocs = np.array([_auroc(pictures, n_seeds, n) for n in range(min(n_draws, 20))])
    cells = (
        pictures.name,
        str(n_seeds),
        str(n_draws),
        f"{column('truth').mean():.3f}",
        _mean(column("error"), signed="+"),
        _share(column("held")),
        f"{ratio:.2f}",
        f"{column('held_recall').mean():.2f}",
        f"{column('held_f1').mean():.2f}",
        _mean(column("calibration")),
        _mean(column("covered")),
        f"{column('set_size').mean():.2f}",
        _mean(column("wrong")),
        f"{column('decided').mean():.2f}",
        _mean(aurocs),
    )
    return f"| {' | '.join(cells)} |"


def _trial(drawn: Draw) -> _Trial:
    evaluation, weights = drawn.measured.evaluation, drawn.weights
    truth = float((drawn.right * weights).sum())
    low, high = evaluation.accuracy_interval
    binomial = wilson_interval(truth, evaluation.n_seeds)
    calibrated = scale(drawn.probabilities, drawn.measured.temperature)
    everyone = np.arange(len(drawn.labels))
    rng = np.random.default_rng(0)
    calibration = measure(calibrated.max(axis=1), drawn.right, everyone, rng)
    threshold = None if evaluation.sets is None else evaluation.sets.threshold
    inside = membership(calibrated, -np.inf if threshold is None else threshold)
    wrong, decided = _gates(drawn, truth)
    held_f1, held_recall = _other_intervals(drawn)
    return _Trial(
        truth=truth,
        error=evaluation.accuracy - truth,
        held=low <= truth <= high,
        held_f1=held_f1,
        held_recall=held_recall,
        width=high - low,
        binomial=binomial[1] - binomial[0],
        calibration=np.nan if calibration is None else calibration.error,
        covered=float((inside[everyone, drawn.labels] * weights).sum()),
        set_size=float((inside.sum(axis=1) * weights).sum()),
        wrong=wrong,
        decided=decided,
    )


def _gates(drawn: Draw, truth: float) -> tuple[float, float]:
    """Return the share of wrong answers, and of answers other than inconclusive."""
    bounds = [(truth + offset, offset) for offset in _OFFSETS if 0 < truth + offset < 1]
    evaluation = drawn.measured.evaluation
    answers = [judge(parse_gate(f"accuracy>={b:.9f}"), evaluation).answer for b, _ in bounds]
    wrong = [
        answer == ("pass" if offset > 0 else "fail")
        for answer, (_, offset) in zip(answers, bounds, strict=True)
    ]
    return float(np.mean(wrong)), float(np.mean([answer != "inconclusive" for answer in answers]))


def _other_intervals(drawn: Draw) -> tuple[float, float]:
    """Return whether macro F1's interval held it, and the share of the recalls' that did."""
    from sklearn.metrics import f1_score

    evaluation, answers = drawn.measured.evaluation, drawn.probabilities.argmax(axis=1)
    f1 = f1_score(drawn.labels, answers, average="macro", sample_weight=drawn.weights)
    held = []
    for number, code in enumerate(evaluation.codes):
        interval = evaluation.per_category[code].recall_interval
        recall = drawn.right[drawn.labels == number].mean()
        held.append(interval is not None and interval[0] <= recall <= interval[1])
    low, high = evaluation.macro_f1_interval
    return float(low <= f1 <= high), float(np.mean(held))


def _auroc(pictures: Pictures, n_seeds: int, number: int) -> float:
    """Return how well novelty tells a category never seen, the mean over each in turn."""
    from sklearn.metrics import roc_auc_score

    values = []
    for left_out in range(pictures.n_categories):
        known, strange = novelties(pictures, n_seeds, number, left_out)
        truth = np.repeat([0, 1], [len(known), len(strange)])
        values.append(roc_auc_score(truth, np.concatenate([known, strange])))
    return float(np.mean(values))


def _mean(values: npt.NDArray[np.float64], signed: str = "") -> str:
    """Return the mean with the half width of its 95 % interval."""
    half = Z95 * values.std() / np.sqrt(len(values))
    return f"{values.mean():{signed}.3f} ± {half:.3f}"


def _share(values: npt.NDArray[np.float64]) -> str:
    low, high = wilson_interval(float(values.mean()), len(values))
    return f"{values.mean():.3f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
