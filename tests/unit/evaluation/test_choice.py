from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mlforge.evaluation.choice import Verdicts, choose
from mlforge.evaluation.folds import inner_blocks


def judged(
    right: npt.NDArray[np.bool_], folds: npt.NDArray[np.int64], sure: Sequence[float] = (0.9, 0.9)
) -> Verdicts:
    """Return what two candidates made of seeds of one category: right where so asked."""
    own = np.where(right, np.asarray(sure)[:, None], 1 - np.asarray(sure)[:, None])
    return Verdicts.of(np.stack([own, 1 - own], axis=2), np.zeros(len(folds), np.int64), folds)


def test_the_candidate_with_the_most_seeds_right_is_chosen() -> None:
    folds = np.arange(4) % 2
    outer = judged(np.array([[1, 1, 0, 0], [1, 1, 1, 0]], bool), folds)
    choice = choose(outer, {(0, 1): outer})
    assert choice.best == 1
    assert choice.accuracies == (0.5, 0.75)


def test_among_equals_the_surer_one_and_then_the_first_is_chosen() -> None:
    right, folds = np.ones((2, 4), bool), np.arange(4) % 2
    surer = judged(right, folds, (0.6, 0.9))
    both = choose(surer, {(0, 1): surer})
    assert (both.best, both.by_fold) == (1, (1, 1))
    same = judged(right, folds)
    assert choose(same, {(0, 1): same}).by_fold == (0, 0)


def test_a_fold_has_no_part_in_the_choice_that_it_scores() -> None:
    folds = np.repeat([0, 1], 3)
    # Each candidate is right on one fold alone: whoever looks at the fold would choose it there.
    outer = judged(np.stack([folds == 0, folds == 1]), folds)
    assert choose(outer, {(0, 1): outer}).by_fold == (1, 0)


def test_what_a_fit_that_saw_a_fold_says_of_others_has_no_part_in_its_choice() -> None:
    folds = np.arange(3)
    first, second = np.array([[1, 1, 1], [0, 0, 0]], bool), np.array([[0, 0], [1, 1]], bool)
    inner: dict[tuple[int, ...], Verdicts] = {
        (0, 1): judged(second, folds[:2]),
        (1, 2): judged(second, folds[1:]),
        (2, 0): judged(first[:, :2], folds[[2, 0]]),
    }
    outer = judged(first, folds)
    # Of fold 1, what the last one says counts for nothing.
    assert choose(outer, inner).by_fold[1] == 1
    assert choose(outer, inner).best == 0


def test_any_two_folds_are_left_out_together_and_something_is_learned_from() -> None:
    for n_folds in range(3, 13):
        blocks = [set(block) for block in inner_blocks(n_folds)]
        assert len(blocks) == n_folds
        for first in range(n_folds):
            for second in range(n_folds):
                assert any({first, second} <= block for block in blocks)
        assert max(map(len, blocks)) < n_folds
    assert inner_blocks(2) == []


def test_choosing_among_what_learned_nothing_does_not_inflate_the_figure() -> None:
    """Candidates are fitted: what one learned from a fold's labels is what gives them away."""
    n_seeds, n_candidates, n_folds = 40, 8, 5
    labels, folds = np.repeat([0, 1], n_seeds // 2), np.arange(n_seeds) % n_folds
    nested, flattering = [], []
    for draw in range(150):
        features = np.random.default_rng(draw).normal(size=(n_candidates, n_seeds, 5))
        each = [_nearest_mean(features, labels, folds, (fold,)) for fold in range(n_folds)]
        inner = {b: _nearest_mean(features, labels, folds, b) for b in inner_blocks(n_folds)}
        outer = Verdicts(
            np.concatenate([part.right for part in each], axis=1),
            np.concatenate([part.losses for part in each], axis=1),
            np.concatenate([part.folds for part in each]),
        )
        choice = choose(outer, inner)
        chosen = [each[fold].right[choice.by_fold[fold]] for fold in range(n_folds)]
        nested.append(np.concatenate(chosen).mean())
        flattering.append(choice.accuracies[choice.best])
    assert np.mean(nested) < 0.53
    assert np.mean(flattering) > 0.6


def _nearest_mean(
    features: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    folds: npt.NDArray[np.int64],
    left_out: tuple[int, ...],
) -> Verdicts:
    """Fit candidates to the seeds outside of some folds, and judge what they make of the others."""
    test = np.isin(folds, left_out)
    distances = [
        ((features - features[:, ~test & (labels == c)].mean(axis=1, keepdims=True)) ** 2).sum(2)
        for c in (0, 1)
    ]
    one = 1 / (1 + np.exp(distances[1] - distances[0]))[:, test]
    return Verdicts.of(np.stack([1 - one, one], axis=2), labels[test], folds[test])
