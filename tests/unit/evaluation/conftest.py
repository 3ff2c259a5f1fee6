"""Evaluations of made-up answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from mlforge.evaluation.records import Evaluation
from mlforge.evaluation.scores import HeldOut, Thresholds, evaluate, evaluate_fixed

_CODES = ("cup", "mug", "pot")


def _held_out(
    labels: Sequence[int], answers: Sequence[int], groups: Sequence[str] | None = None
) -> HeldOut:
    """Return answers to seeds whose digests are their places."""
    names = [f"{place:04d}" for place in range(len(labels))]
    return HeldOut(
        np.array(labels, np.int64),
        np.eye(3)[list(answers)] * 0.7 + 0.1,
        groups or names,
        np.arange(len(labels)) % min(5, len(labels)),
        files=[f"{_CODES[label]}/{name}" for label, name in zip(labels, names, strict=True)],
        digests=names,
    )


@pytest.fixture
def held_out() -> Callable[..., HeldOut]:
    """Answer seeds of cup (0), mug (1) and pot (2): labels, answers and, if need be, groups."""
    return _held_out


@pytest.fixture
def trained() -> Callable[..., Evaluation]:
    """Say what `train` says of labels, answers and, if need be, groups."""

    def make(
        labels: Sequence[int], answers: Sequence[int], groups: Sequence[str] | None = None
    ) -> Evaluation:
        made = _held_out(labels, answers, groups)
        return evaluate(made, None, _CODES, np.random.default_rng(0)).evaluation

    return make


@pytest.fixture
def tested() -> Callable[..., Evaluation]:
    """Say what `evaluate FOLDER` says of labels, answers and, if need be, groups."""

    def make(
        labels: Sequence[int], answers: Sequence[int], groups: Sequence[str] | None = None
    ) -> Evaluation:
        made = _held_out(labels, answers, groups)
        return evaluate_fixed(made, _CODES, np.random.default_rng(0), Thresholds(1.0))

    return make
