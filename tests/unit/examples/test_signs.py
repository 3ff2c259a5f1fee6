from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mlforge.core.category import CategoryConfig
from mlforge.core.randomness import Streams
from mlforge.errors import ConfigError
from mlforge.examples import ExampleCategory
from mlforge.examples._signs_faces import FACES
from mlforge.examples._signs_photo import photograph
from mlforge.examples.signs import N_SEEDS, picture

COMMITTED = Path(__file__).parents[3] / "categories"
needs_repository = pytest.mark.skipif(
    not COMMITTED.is_dir(), reason="the tests run outside the repository"
)


def _decoded(data: bytes) -> npt.NDArray[np.float32]:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None, "not a picture"
    return np.asarray(pixels, dtype=np.float32)


def test_the_same_sign_and_index_give_the_same_pixels_whatever_was_drawn_before() -> None:
    first = picture("stop", 3)
    np.random.seed(1)  # noqa: NPY002 (the point is that global state makes no difference)
    picture("yield", 0)
    assert np.array_equal(first, picture("stop", 3))


def test_another_index_gives_another_picture() -> None:
    assert picture("stop", 3).tobytes() != picture("stop", 4).tobytes()


def test_two_signs_with_the_same_draws_differ_in_nothing_but_the_sign() -> None:
    streams = Streams(("test", 1))
    left, right = (photograph(code, streams).astype(int) for code in ("turn_left", "turn_right"))
    changed = np.abs(left - right).max(axis=2) > 0
    assert 0.02 < changed.mean() < 0.6
    assert not changed[0].any()


def test_drawing_leaves_numpys_global_randomness_alone() -> None:
    np.random.seed(7)  # noqa: NPY002 (global state is what is looked at)
    expected = np.random.random(3).tolist()  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    picture("priority", 20)
    assert np.random.random(3).tolist() == expected  # noqa: NPY002


@pytest.mark.parametrize("code", sorted(FACES))
def test_a_picture_is_rgb_of_160_to_200_pixels_a_side(code: str) -> None:
    drawn = picture(code, 1000)
    height, width, n_channels = drawn.shape
    assert drawn.dtype == np.uint8
    assert 160 <= height <= 200
    assert 160 <= width <= 200
    assert n_channels == 3


def test_a_stop_sign_is_red_and_a_turn_is_blue_in_rgb_order() -> None:
    stop, turn = FACES["stop"].layer(), FACES["turn_left"].layer()
    assert stop[..., 0].sum() > 1.5 * stop[..., 2].sum()
    assert turn[..., 2].sum() > 1.5 * turn[..., 0].sum()


def test_the_two_turns_are_mirror_images_so_that_a_flip_changes_the_label() -> None:
    left, right = FACES["turn_left"].layer(), FACES["turn_right"].layer()
    assert np.abs(left[:, ::-1] - right).mean() < 0.005
    assert np.abs(left - right).mean() > 0.03


def test_outside_its_plate_a_face_is_transparent() -> None:
    for code, face in FACES.items():
        layer = face.layer()
        assert layer[0].max() == layer[-1].max() == layer[:, 0].max() == layer[:, -1].max() == 0, (
            code
        )
        assert layer[192, 192, 3] == 1, code


def test_an_unknown_sign_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no sign 'halt'") as caught:
        picture("halt", 0)
    assert "stop" in caught.value.hint


def test_all_seeds_together_stay_below_a_megabyte(signs: tuple[ExampleCategory, ...]) -> None:
    sizes = [len(file.data) for category in signs for file in category.seeds]
    assert sum(sizes) < 1_000_000
    assert max(sizes) < 20_000


def test_the_first_picture_held_out_follows_the_seeds(signs: tuple[ExampleCategory, ...]) -> None:
    for category in signs:
        held_out = _decoded(category.held_out[0].data)
        drawn = picture(category.code, N_SEEDS)[..., ::-1]
        assert held_out.shape == drawn.shape
        # What is left is JPEG's loss.
        assert np.abs(held_out - drawn).mean() < 8


@needs_repository
def test_the_committed_categories_are_those_of_the_example(
    signs: tuple[ExampleCategory, ...],
) -> None:
    folders = {path.name for path in COMMITTED.iterdir() if (path / "config.json").is_file()}
    assert folders == {category.code for category in signs}


@needs_repository
def test_the_committed_configs_are_those_of_the_example(
    signs: tuple[ExampleCategory, ...],
) -> None:
    for category in signs:
        text = (COMMITTED / category.code / "config.json").read_text(encoding="utf-8")
        assert text == json.dumps(category.config.to_json(), indent=2) + "\n"
        assert CategoryConfig.model_validate(json.loads(text)) == category.config


@needs_repository
def test_the_committed_seeds_look_like_what_is_drawn(signs: tuple[ExampleCategory, ...]) -> None:
    for category in signs:
        folder = COMMITTED / category.code / "seeds"
        assert sorted(path.name for path in folder.iterdir()) == [
            file.name for file in category.seeds
        ]
        for file in category.seeds:
            committed, drawn = _decoded((folder / file.name).read_bytes()), _decoded(file.data)
            assert committed.shape == drawn.shape, file.name
            # Other library versions and processors round differently in the last bits.
            assert np.abs(committed - drawn).mean() < 2, file.name
