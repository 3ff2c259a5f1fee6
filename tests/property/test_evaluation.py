from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score

from mlforge.evaluation.folds import make_folds
from mlforge.evaluation.intervals import effective_groups, group_quantile, wilson_interval
from mlforge.evaluation.scores import HeldOut, Thresholds, evaluate, evaluate_fixed
from mlforge.evaluation.stored import from_json

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
    held_out = HeldOut(labels, np.eye(4)[predicted], [str(g) for g in groups], groups % 5)
    made = evaluate_fixed(held_out, codes, np.random.default_rng(number), Thresholds(1.0))
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


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.lists(st.floats(0.01, 1), min_size=4, max_size=4),
            st.integers(0, 30),
        ),
        min_size=2,
        max_size=60,
    ),
    NUMBERS,
)
def test_whatever_is_held_out_the_figures_are_finite_and_in_their_intervals(
    seeds: list[tuple[int, list[float], int]], number: int
) -> None:
    labels, groups = np.array([s[0] for s in seeds]), np.array([s[2] for s in seeds])
    rng = np.random.default_rng(number)
    said = np.array([s[1] for s in seeds])
    said /= said.sum(axis=1, keepdims=True)
    names = [str(place) for place in range(len(seeds))]
    held_out = HeldOut(
        labels,
        said,
        [str(g) for g in groups],
        groups % 5,
        novelty=rng.random(len(seeds)),
        files=names,
        digests=names,
    )
    halves = HeldOut(labels, said[::-1], held_out.groups, groups % 2)
    measured = evaluate(held_out, halves, ["a", "b", "c", "d"], rng)
    made = measured.evaluation
    assert measured.temperature > 0
    for value, (low, high) in (
        (made.accuracy, made.accuracy_interval),
        (made.macro_f1, made.macro_f1_interval),
        *((s.recall, s.recall_interval) for s in made.per_category.values() if s.recall_interval),
    ):
        assert value is not None
        assert 0 <= low <= value <= high <= 1
    # No NaN and no infinity can be written.
    text = json.dumps(dataclasses.asdict(made), allow_nan=False)
    assert from_json(json.loads(text)) == made


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=1, max_size=80))
def test_seeds_in_groups_tell_as_much_as_one_group_to_all_seeds(
    seeds: list[tuple[bool, int]],
) -> None:
    right = np.array([r for r, _ in seeds])
    n = effective_groups(right, np.array([g for _, g in seeds]))
    assert 1 - 1e-9 <= n <= len(seeds) + 1e-9


@given(
    st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 30)), min_size=1, max_size=80),
    st.floats(0.05, 0.95),
)
def test_a_quantile_is_a_score_within_which_so_many_groups_lie(
    seeds: list[tuple[float, int]], share: float
) -> None:
    scores = np.array([s for s, _ in seeds])
    _, group_of, sizes = np.unique([g for _, g in seeds], return_inverse=True, return_counts=True)
    quantile = group_quantile(scores, group_of, share)
    if quantile is not None:
        within = ((scores <= quantile) / sizes[group_of]).sum()
        below = ((scores < quantile) / sizes[group_of]).sum()
        wanted = np.ceil((len(sizes) + 1) * share - 1e-9)
        assert below < wanted <= within + 1e-6
