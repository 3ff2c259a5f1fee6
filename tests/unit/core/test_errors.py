from __future__ import annotations

import copy
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from mlforge import errors
from mlforge.errors import MlforgeError

EXIT_CODES = {
    "MlforgeError": 70,
    "ConfigError": 2,
    "DataError": 3,
    "SampleError": 3,
    "StorageError": 3,
    "MissingExtraError": 4,
    "MissingDecoderError": 4,
    "ArtifactError": 5,
    "EngineError": 6,
}


def all_errors() -> list[type[MlforgeError]]:
    return [getattr(errors, name) for name in sorted(errors.__all__)]


def test_the_tree_is_the_one_that_is_documented() -> None:
    assert {error.__name__: error.exit_code for error in all_errors()} == EXIT_CODES
    bases = {error.__name__: error.__base__ for error in all_errors()}
    assert {name for name, base in bases.items() if base is errors.DataError} == {
        "SampleError",
        "StorageError",
    }
    assert bases["MlforgeError"] is Exception
    for name in EXIT_CODES:
        assert f"{name} " in (errors.__doc__ or "")


@pytest.mark.parametrize("error", all_errors())
def test_an_error_has_a_message_and_perhaps_a_hint(error: type[MlforgeError]) -> None:
    made = error("what", "next")
    assert (str(made), made.message, made.hint) == ("what", "what", "next")
    assert error("what").hint == ""


@pytest.mark.parametrize("error", all_errors())
def test_a_copy_is_equal(error: type[MlforgeError]) -> None:
    made = copy.copy(error("what", "next"))
    assert type(made) is error
    assert (made.message, made.hint) == ("what", "next")


def test_errors_come_back_whole_from_another_process() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        made = [error("what é", "next") for error in all_errors()]
        back = list(pool.map(copy.copy, made, timeout=60))
    assert [(type(e), e.message, e.hint) for e in back] == [
        (type(e), e.message, e.hint) for e in made
    ]
