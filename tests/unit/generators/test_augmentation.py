from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mlforge.core.category import DEFAULT_TECHNIQUES, CategoryConfig
from mlforge.core.randomness import Streams
from mlforge.core.validation import validated
from mlforge.errors import ConfigError
from mlforge.generators.augmentation import Augmentation
from mlforge.modalities import MODALITIES
from mlforge.techniques import TECHNIQUES

STREAMS = Streams(("samples", "config", "seed"))


def augmentation(**settings: Any) -> Augmentation:
    values = {
        "category_name": "Cup",
        "category_code": "cup",
        "augmentation_settings": settings,
    }
    category = validated(CategoryConfig, values, "cup/config.json")
    return Augmentation(category, MODALITIES.get("image")())


def seed() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def untouched(generator: Augmentation, streams: Streams, n_copies: int) -> list[int]:
    copies = range(1, n_copies + 1)
    return [c for c in copies if not generator.generate([seed()], c, streams).recipe]


def test_the_default_techniques_exist_and_keep_labels() -> None:
    assert all(TECHNIQUES.get(name, "image").keeps_labels for name in DEFAULT_TECHNIQUES)


def test_a_sample_passes_through_the_techniques_in_their_order() -> None:
    generator = augmentation(techniques=["blur", {"name": "brightness", "limit": 0.2}, "blur"])
    generated = generator.generate([seed()], 1, STREAMS)
    assert [step["technique"] for step in generated.recipe] == ["blur", "brightness", "blur"]
    assert 0.8 <= generated.recipe[1]["factor"] <= 1.2
    expected = generator.apply_techniques(seed(), STREAMS.rng("copy", 1, 0)).example
    np.testing.assert_array_equal(generated.example, expected)


def test_what_moves_pixels_in_a_row_moves_them_once() -> None:
    # Shifted out and back, the edge would be lost; as one shift it stays.
    generator = augmentation(techniques=[{"name": "translation", "limit": 0.5}] * 2)
    picture = seed()
    for copy in range(1, 12):
        moved, steps = generator.generate([picture], copy, STREAMS), {"x": 0, "y": 0}
        for step in moved.recipe:
            steps = {axis: steps[axis] + step[axis] for axis in steps}
        rows = np.clip(np.arange(24) - steps["y"], 0, 23)
        columns = np.clip(np.arange(32) - steps["x"], 0, 31)
        np.testing.assert_array_equal(moved.example, picture[rows[:, None], columns])


def test_what_stands_between_keeps_its_place() -> None:
    names = ["rotation", "scaling", "grayscale", "shear", "rotation"]
    generator = augmentation(techniques=names)
    made = generator.generate([seed()], 1, STREAMS)
    assert [step["technique"] for step in made.recipe] == names
    rng, expected = STREAMS.rng("copy", 1, 0), seed()
    first, (grey,), last = generator.techniques[:2], generator.techniques[2:3], names[3:]
    expected, _ = first[0].apply_run(first, expected, rng)
    expected, _ = grey.apply(expected, rng)
    expected, draws = generator.techniques[3].apply_run(generator.techniques[3:], expected, rng)
    np.testing.assert_array_equal(made.example, expected)
    assert list(made.recipe[3:]) == [
        {"technique": name, **drawn} for name, drawn in zip(last, draws, strict=True)
    ]


def test_every_copy_is_varied_by_default() -> None:
    assert untouched(augmentation(), STREAMS, 30) == []
    assert augmentation().limit_per_seed() is None


def test_an_untouched_copy_is_the_seed() -> None:
    generator = augmentation(augmentation_ratio=0.5)
    (copy,) = untouched(generator, STREAMS, 40)
    np.testing.assert_array_equal(generator.generate([seed()], copy, STREAMS).example, seed())


@pytest.mark.parametrize("ratio", [0.2, 0.5, 0.9])
def test_at_most_one_copy_of_a_seed_is_untouched(ratio: float) -> None:
    generator = augmentation(augmentation_ratio=ratio, techniques=["brightness"])
    counts = [len(untouched(generator, Streams((i,)), 20)) for i in range(50)]
    assert set(counts) <= {0, 1}
    assert 1 in counts


@pytest.mark.parametrize("ratio", [0.2, 0.5, 0.9])
def test_the_ratio_is_the_share_of_varied_samples_where_each_seed_gives_one(ratio: float) -> None:
    generator = augmentation(augmentation_ratio=ratio, techniques=["brightness"])
    n_untouched = sum(len(untouched(generator, Streams((i,)), 1)) for i in range(600))
    assert 1 - n_untouched / 600 == pytest.approx(ratio, abs=0.07)


def test_a_ratio_close_to_one_leaves_no_copy_in_reach_untouched() -> None:
    generator = augmentation(augmentation_ratio=1 - 2**-53, techniques=["brightness"])
    assert untouched(generator, STREAMS, 20) == []


@pytest.mark.parametrize(
    "settings",
    [{"augmentation_ratio": 0}, {"enable_augmentation": False}, {"techniques": []}],
    ids=["ratio 0", "disabled", "no techniques"],
)
def test_a_seed_gives_one_untouched_copy_where_nothing_is_varied(settings: dict[str, Any]) -> None:
    generator = augmentation(**settings)
    assert generator.limit_per_seed() == 1
    assert untouched(generator, STREAMS, 3) == [1, 2, 3]


def test_other_streams_and_copies_give_other_samples() -> None:
    generator = augmentation()
    results = {
        generator.generate([seed()], copy, streams).example.tobytes()
        for copy in (1, 2, 3)
        for streams in (STREAMS, STREAMS.child("other"))
    }
    assert len(results) == 6


def test_an_unknown_technique_is_refused_with_its_place_and_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"techniques\[1\]: unknown technique 'rotatoin'") as info:
        augmentation(techniques=["blur", "rotatoin"])
    assert "rotation" in info.value.hint


def test_a_wrong_parameter_of_a_technique_is_refused_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"cup/config.json: .*techniques\[0\]: limit"):
        augmentation(techniques=[{"name": "rotation", "limit": -5}])
