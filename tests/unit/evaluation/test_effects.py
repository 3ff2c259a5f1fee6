from __future__ import annotations

import numpy as np
import pytest

from mlforge.evaluation.effects import technique_effect
from mlforge.evaluation.records import TechniqueEffect


def effect(gained: int, lost: int, same: int, groups: int | None = None) -> TechniqueEffect:
    before = np.repeat([False, True, True], [gained, lost, same])
    after = np.repeat([True, False, True], [gained, lost, same])
    numbers = np.arange(len(before)) % (groups or len(before))
    return technique_effect(
        "arrow", "horizontal_flip", after, before, numbers, users=["arrow"], taken_for=[]
    )


def harmed(users: list[str], taken_for: list[str]) -> TechniqueEffect:
    return technique_effect(
        "arrow",
        "horizontal_flip",
        np.zeros(30, bool),
        np.ones(30, bool),
        np.arange(30),
        users=users,
        taken_for=taken_for,
    )


def test_a_technique_that_costs_many_seeds_is_not_safe() -> None:
    found = harmed(users=["arrow"], taken_for=[])
    assert not found.safe
    assert found.effect < -0.9
    assert found.interval[1] < 0
    assert (found.code, found.technique) == ("arrow", "horizontal_flip")


@pytest.mark.parametrize(
    ("users", "taken_for", "to_change"),
    [
        (["left"], ["left"], ("left",)),
        (["left", "up"], ["left", "down"], ("left",)),
        (["arrow", "left", "up"], ["left"], ("arrow", "left")),
        (["left", "up"], ["down"], ("left", "up")),
    ],
)
def test_it_is_to_go_where_the_seeds_went_that_were_lost(
    users: list[str], taken_for: list[str], to_change: tuple[str, ...]
) -> None:
    found = harmed(users, taken_for)
    assert found.users == tuple(users)
    assert found.to_change == to_change


def test_where_it_is_safe_nothing_is_to_change() -> None:
    assert effect(2, 0, 10).to_change == ()


def test_what_two_seeds_more_or_less_show_is_left_open() -> None:
    for gained, lost in ((0, 2), (2, 0), (0, 0)):
        found = effect(gained, lost, 10)
        assert found.safe
        low, high = found.interval
        assert -1 <= low < 0 < high <= 1


def test_seeds_of_few_groups_tell_less() -> None:
    many, few = effect(0, 8, 12), effect(0, 8, 12, groups=4)
    widths = [f.interval[1] - f.interval[0] for f in (many, few)]
    assert widths[1] > 1.5 * widths[0]
