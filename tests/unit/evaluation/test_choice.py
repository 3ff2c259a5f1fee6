from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mlforge.evaluation.choice import choose


def said(right: npt.NDArray[np.bool_], sure: float = 0.9) -> npt.NDArray[np.float64]:
    """Return probabilities of two categories for seeds of the first: right where so asked."""
    own = np.where(right, sure, 1 - sure)
    return np.stack([own, 1 - own], axis=1)


def test_the_candidate_with_the_most_seeds_right_is_chosen() -> None:
    right = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 0]], bool)
    choice = choose(np.stack([said(r) for r in right]), np.zeros(4, np.int64), np.arange(4) % 2)
    assert choice.best == 1
    assert choice.accuracies == (0.5, 0.75, 0.25)


def test_among_equals_the_surer_one_and_then_the_first_is_chosen() -> None:
    right = np.ones(4, bool)
    labels, folds = np.zeros(4, np.int64), np.arange(4) % 2
    both = choose(np.stack([said(right, 0.6), said(right, 0.9)]), labels, folds)
    assert (both.best, both.by_fold) == (1, (1, 1))
    same = choose(np.stack([said(right), said(right)]), labels, folds)
    assert (same.best, same.by_fold) == (0, (0, 0))


def test_a_fold_has_no_part_in_the_choice_that_it_scores() -> None:
    folds = np.repeat([0, 1], 3)
    # Each candidate is right on one fold alone: whoever looks at the fold would choose it there.
    right = np.stack([folds == 0, folds == 1])
    choice = choose(np.stack([said(r) for r in right]), np.zeros(6, np.int64), folds)
    assert choice.by_fold == (1, 0)


def test_choosing_among_guesses_does_not_inflate_the_figure() -> None:
    rng = np.random.default_rng(0)
    labels, folds = rng.integers(0, 2, 60), np.arange(60) % 5
    nested, flattering = [], []
    for _ in range(40):
        probabilities = rng.dirichlet((1, 1), size=(20, 60))
        choice = choose(probabilities, labels, folds)
        right = probabilities.argmax(axis=2) == labels
        nested.append(np.mean([right[choice.by_fold[f], s] for s, f in enumerate(folds)]))
        flattering.append(choice.accuracies[choice.best])
    assert abs(np.mean(nested) - 0.5) < 0.03
    assert np.mean(flattering) > 0.58
