from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import pytest
from annotated_types import Ge, Le, MultipleOf

from mlforge.core.component import Component, ComponentConfig
from mlforge.errors import ConfigError, MissingExtraError


@dataclass(frozen=True, kw_only=True)
class SpringConfig(ComponentConfig):
    turns: Annotated[int, Ge(1), Le(10)] = 3
    """How many turns."""
    limits: tuple[float, float] = (0.0, 1.0)
    """From and to."""
    wire: Annotated[int, MultipleOf(4)] = 8
    """How thick."""

    def __post_init__(self) -> None:
        if self.limits[0] > self.limits[1]:
            raise ValueError("limits: the first is above the second")


class Spring(Component):
    """Springs back.

    More about it.
    """

    name = "spring"
    Config: ClassVar[type[ComponentConfig]] = SpringConfig


class Rocket(Component):
    """Flies."""

    name = "rocket"
    extra = "rockets"
    requires = ("sys", "no_such_module_abc", "no_such_package_abc.part")
    distribution = "acme"


def refusal(values: dict[str, object]) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        Spring.configured(values, "config.json: spring")
    return caught.value


def test_parameters_that_are_not_given_have_their_defaults() -> None:
    assert Spring().parameters() == {"turns": 3, "limits": (0.0, 1.0), "wire": 8}
    assert Spring.configured({}, "x").config == SpringConfig()


def test_parameters_come_from_json_like_values() -> None:
    assert Spring.configured({"turns": 5, "limits": [0.5, 1]}, "x").parameters() == {
        "turns": 5,
        "limits": (0.5, 1.0),
        "wire": 8,
    }


def test_an_unknown_parameter_is_refused_with_the_nearest_one() -> None:
    error = refusal({"turn": 2})
    assert error.message == "config.json: spring: turn: unknown key"
    assert error.hint.startswith("did you mean 'turns'?")


@pytest.mark.parametrize(
    ("values", "key", "given"),
    [
        ({"turns": 0}, "turns", "(got 0)"),
        ({"turns": 11}, "turns", "(got 11)"),
        ({"turns": "3"}, "turns", '(got "3")'),
        ({"turns": 2.5}, "turns", "(got 2.5)"),
        ({"turns": True}, "turns", "(got true)"),
        ({"turns": None}, "turns", "(got null)"),
        ({"limits": [0, "x"]}, "limits[1]", '(got "x")'),
    ],
)
def test_a_wrong_value_is_refused_with_key_and_value(
    values: dict[str, object], key: str, given: str
) -> None:
    message = refusal(values).message
    assert message.startswith(f"config.json: spring: {key}: ")
    assert message.endswith(given)


def test_a_rule_between_parameters_is_told_in_its_own_words() -> None:
    assert "the first is above the second" in refusal({"limits": [2, 1]}).message


def test_every_wrong_key_is_told_at_once() -> None:
    assert len(refusal({"turns": 0, "x": 1}).message.splitlines()) == 2


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"turns": 0}, ValueError, "turns is out of range"),
        ({"turns": 10**400}, ValueError, "turns is out of range"),
        ({"turns": -(10**400)}, ValueError, "turns is out of range"),
        ({"turns": "3"}, TypeError, "turns is no integer"),
        ({"turns": None}, TypeError, "turns is no integer"),
        ({"turns": float("nan")}, TypeError, "turns is no integer"),
        ({"turns": 3.5}, TypeError, "turns is no integer"),
        ({"turns": True}, TypeError, "turns is no integer"),
        ({"wire": 6}, ValueError, "wire is out of range"),
    ],
)
def test_what_an_artifact_holds_is_within_its_range(
    values: dict[str, Any], error: type[Exception], message: str
) -> None:
    assert Spring.Config.restored({"turns": 3}) == Spring.configured({"turns": 3}, "x").config
    with pytest.raises(error, match=message):
        Spring.Config.restored(values)


def test_parameters_cannot_be_changed_afterwards() -> None:
    with pytest.raises(AttributeError):
        Spring().config.turns = 4


def test_the_summary_is_the_first_line_of_the_docstring() -> None:
    assert Spring.summary() == "Springs back."


def test_a_component_without_its_extra_is_listed_and_cannot_be_made() -> None:
    assert not Rocket.available()
    assert Rocket.summary() == "Flies."
    with pytest.raises(MissingExtraError) as caught:
        Rocket.configured({}, "x")
    assert "no_such_module_abc, no_such_package_abc.part" in caught.value.message
    assert "sys" not in caught.value.message
    assert caught.value.hint == "install the extra 'rockets' of acme from where you have acme"
    assert caught.value.exit_code == 4


def test_a_component_without_an_extra_is_always_there() -> None:
    assert Spring.available()
    assert Spring.install_command().startswith("python -m pip install ")
