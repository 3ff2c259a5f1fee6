from __future__ import annotations

import numpy as np
import pytest

from mlforge.core.randomness import Streams


def test_the_draws_of_a_path_never_change() -> None:
    """Samples that users have made must be remade byte for byte by later versions."""
    rng = Streams(("samples", "ab12")).rng("copy", 3)
    assert rng.integers(0, 2**32, 3).tolist() == [3565221023, 1413087877, 2002254480]
    assert Streams(()).rng().random() == 0.25068051540689706


def test_draws_depend_on_the_path_and_not_on_the_order_of_asking() -> None:
    streams = Streams(("x",))
    forward = {n: streams.rng("copy", n).random() for n in range(5)}
    backward = {n: Streams(("x",)).rng("copy", n).random() for n in reversed(range(5))}
    assert forward == backward
    assert len(set(forward.values())) == 5


def test_drawing_from_one_stream_leaves_the_others_alone() -> None:
    streams = Streams(("x",))
    expected = streams.rng("b").random(3)
    used = streams.rng("a")
    used.random(1000)
    np.testing.assert_array_equal(streams.rng("b").random(3), expected)


def test_a_child_is_the_same_place_as_its_whole_path() -> None:
    assert (
        Streams(("a",)).child("b", 1).rng("c").random()
        == Streams(("a", "b", 1, "c")).rng().random()
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("1",), (1,)),
        (("a", "b"), ("ab",)),
        (("a", "b"), ("a,b",)),
        (("a",), ("a", "")),
        (("a", "b"), ("b", "a")),
    ],
)
def test_paths_that_only_look_alike_draw_differently(
    one: tuple[str | int, ...], other: tuple[str | int, ...]
) -> None:
    assert Streams(one).rng().random() != Streams(other).rng().random()


def test_global_randomness_is_neither_read_nor_touched() -> None:
    np.random.seed(1)  # noqa: NPY002 - the global state is what this is about
    first = Streams(("x",)).rng().random()
    before = np.random.get_state(legacy=False)["state"]["pos"]  # noqa: NPY002 - as above
    np.random.seed(2)  # noqa: NPY002 - as above
    assert Streams(("x",)).rng().random() == first
    assert np.random.get_state(legacy=False)["state"]["pos"] == before  # noqa: NPY002 - as above


def test_a_path_may_hold_the_name_of_a_file_that_is_not_utf_8() -> None:
    assert 0 <= Streams(("caf\udce9",)).rng().random() < 1
