from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score

from mlforge.evaluation.folds import make_folds
from mlforge.evaluation.scores import evaluate, wilson_interval

SEEDS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 25)), min_size=1, max_size=80)
NUMBERS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.integers(2, 10), NUMBERS)
def test_folds_keep_groups_whole_and_test_every_seed_that_can_be_scored_once(
    seeds: list[tuple[int, int]], n_folds: int, number: int
) -> None:
    labels = np.array([label for label, _ in seeds])
    groups = np.array([f"g{group}" for _, group in seeds])
    made = make_folds(labels, groups.tolist(), n_folds, np.random.default_rng(number))

    n_groups = {label: len(set(groups[labels == label])) for label in set(labels.tolist())}
    can = np.array([n_groups[label] >= 2 for label in labels.tolist()])
    assert made.unscored == tuple(sorted(label for label, n in n_groups.items() if n < 2))
    assert ((made.fold >= 0) == can).all()
    assert set(made.fold[can].tolist()) == set(range(made.n_folds))
    for group in set(groups.tolist()):
        assert len(set(made.left_out[groups == group].tolist())) == 1
    for fold in range(made.n_folds):
        tested, learned = made.fold == fold, made.left_out != fold
        assert not (tested & learned).any()
        assert not set(groups[tested]) & set(groups[learned])
        assert set(labels[tested]) <= set(labels[learned])


@given(SEEDS, NUMBERS)
def test_at_most_twelve_groups_are_left_out_one_by_one(
    seeds: list[tuple[int, int]], number: int
) -> None:
    labels = np.array([label for label, _ in seeds])
    groups = [f"g{group % 12}" for _, group in seeds]
    made = make_folds(labels, groups, 5, np.random.default_rng(number))
    for fold in range(made.n_folds):
        assert len({group for group, f in zip(groups, made.fold, strict=True) if f == fold}) == 1


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=60
    ),
    NUMBERS,
)
def test_scores_are_those_of_scikit_learn(seeds: list[tuple[int, int, int]], number: int) -> None:
    labels, predicted, groups = (np.array(column) for column in zip(*seeds, strict=True))
    codes = ["a", "b", "c", "d"]
    made = evaluate(
        labels,
        np.eye(4)[predicted],
        [str(g) for g in groups],
        codes,
        5,
        np.random.default_rng(number),
    )
    every, present = list(range(4)), sorted(set(labels.tolist()))
    assert made.accuracy == pytest.approx((labels == predicted).mean())
    assert made.confusion == tuple(
        tuple(row) for row in confusion_matrix(labels, predicted, labels=every).tolist()
    )
    macro = f1_score(labels, predicted, labels=present, average="macro", zero_division=0)
    assert made.macro_f1 == pytest.approx(macro)
    options = {"labels": every, "average": None, "zero_division": np.nan}
    for key, oracle in (("precision", precision_score), ("recall", recall_score)):
        ours = [getattr(made.per_category[code], key) for code in codes]
        theirs = [None if np.isnan(v) else v for v in oracle(labels, predicted, **options)]
        assert ours == [v if v is None else pytest.approx(v) for v in theirs]
    assert made.n_groups == len(set(groups.tolist()))
    assert made.unscored == tuple(code for n, code in enumerate(codes) if n not in present)
    for low, high in (made.accuracy_interval, made.macro_f1_interval):
        assert 0 <= low <= high <= 1
    assert made.accuracy_interval[0] <= made.accuracy <= made.accuracy_interval[1]


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_that_of_scipy_and_holds_the_share(counts: tuple[int, int]) -> None:
    hits, n = counts
    low, high = wilson_interval(hits / n, n)
    oracle = binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert (low, high) == pytest.approx((oracle.low, oracle.high), abs=1e-12)
    assert 0 <= low <= hits / n <= high <= 1


@given(st.floats(0, 1), st.integers(1, 10**6))
def test_any_share_lies_in_its_interval(share: float, n: int) -> None:
    low, high = wilson_interval(share, n)
    assert 0 <= low <= share <= high <= 1
    assert low < high
