from __future__ import annotations

from typing import cast

import pytest

from mlforge.examples import ExampleCategory, example_categories


@pytest.fixture(scope="session")
def signs() -> tuple[ExampleCategory, ...]:
    return tuple(example_categories("signs", n_held_out=1))


@pytest.fixture(scope="session")
def digits() -> tuple[ExampleCategory, ...]:
    return tuple(example_categories("digits", n_held_out=1))


@pytest.fixture(params=["digits", "signs"])
def categories(request: pytest.FixtureRequest) -> tuple[ExampleCategory, ...]:
    return cast("tuple[ExampleCategory, ...]", request.getfixturevalue(request.param))
