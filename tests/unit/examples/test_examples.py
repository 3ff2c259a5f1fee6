from __future__ import annotations

import subprocess
import sys
from itertools import islice

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mlforge.core.names import check_code
from mlforge.errors import ConfigError
from mlforge.examples import (
    EXAMPLES,
    ExampleCategory,
    ExampleFile,
    example_categories,
    example_names,
)
from mlforge.examples._signs_faces import FACES
from mlforge.techniques import TECHNIQUES


def _pixels(file: ExampleFile) -> npt.NDArray[np.uint8]:
    picture = cv2.imdecode(np.frombuffer(file.data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None, f"{file.name} is not a picture"
    return np.asarray(picture, dtype=np.uint8)


def _files(categories: tuple[ExampleCategory, ...]) -> list[ExampleFile]:
    return [file for category in categories for file in (*category.seeds, *category.held_out)]


def test_the_names_are_those_of_the_examples() -> None:
    assert example_names() == tuple(sorted(EXAMPLES)) == ("digits", "signs")


def test_an_example_has_as_many_categories_as_it_says() -> None:
    assert EXAMPLES["signs"].n_categories == len(FACES)
    assert EXAMPLES["digits"].n_categories == len(list(example_categories("digits")))


def test_an_unknown_example_names_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="no example 'sings'") as caught:
        example_categories("sings")
    assert "did you mean 'signs'?" in caught.value.hint


def test_a_negative_number_of_held_out_pictures_is_refused() -> None:
    with pytest.raises(ConfigError, match="-1"):
        example_categories("signs", n_held_out=-1)


def test_every_category_has_twelve_seeds_and_the_held_out_pictures_asked_for(
    categories: tuple[ExampleCategory, ...],
) -> None:
    assert len(categories) in {8, 10}
    assert {len(category.seeds) for category in categories} == {12}
    assert {len(category.held_out) for category in categories} == {1}


def test_codes_and_names_are_unique_and_allowed(categories: tuple[ExampleCategory, ...]) -> None:
    codes = [check_code(category.code) for category in categories]
    assert len(set(codes)) == len({category.name for category in categories}) == len(categories)
    assert all(category.description for category in categories)


def test_no_picture_is_there_twice_so_none_held_out_is_a_seed(
    categories: tuple[ExampleCategory, ...],
) -> None:
    files = _files(categories)
    assert len({file.data for file in files}) == len(files)
    assert len({_pixels(file).tobytes() for file in files}) == len(files)


def test_file_names_are_unique_and_begin_with_the_code(
    categories: tuple[ExampleCategory, ...],
) -> None:
    files = _files(categories)
    assert len({file.name.casefold() for file in files}) == len(files)
    for category in categories:
        assert all(file.name.startswith(f"{category.code}_") for file in category.seeds)


def test_every_picture_decodes_and_is_neither_blank_nor_tiny(
    categories: tuple[ExampleCategory, ...],
) -> None:
    for file in _files(categories):
        picture = _pixels(file)
        assert min(picture.shape[:2]) >= 64, file.name
        assert max(picture.shape[:2]) <= 200, file.name
        assert picture.std() > 10, file.name


def test_every_technique_of_the_configs_exists_and_none_flips(
    categories: tuple[ExampleCategory, ...],
) -> None:
    for category in categories:
        used = {spec.name for spec in category.config.augmentation_settings.techniques}
        assert used <= set(TECHNIQUES.names("image"))
        assert not used & {"horizontal_flip", "vertical_flip"}


@pytest.mark.parametrize("name", example_names())
def test_seeds_and_first_held_out_pictures_stay_when_more_are_held_out(
    name: str, request: pytest.FixtureRequest
) -> None:
    drawn = {c.code: c for c in request.getfixturevalue(name)}
    more = next(iter(example_categories(name, n_held_out=3)))
    assert more.seeds == drawn[more.code].seeds
    assert more.held_out[:1] == drawn[more.code].held_out


def test_more_digits_than_there_are_is_an_error() -> None:
    with pytest.raises(ConfigError, match="only 166 are left") as caught:
        list(islice(example_categories("digits", n_held_out=5000), 1))
    assert "at most 166" in caught.value.hint


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    program = (
        "import sys, mlforge.examples; "
        "print(sorted({'cv2', 'sklearn', 'PIL', 'scipy'} & set(sys.modules)))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert finished.stdout.strip() == "[]"
