from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mlforge.core.category import CategoryConfig
from mlforge.core.randomness import Streams
from mlforge.core.validation import validated
from mlforge.errors import ConfigError
from mlforge.generators.image._cutout import cut_out
from mlforge.generators.image._scene import place, placed
from mlforge.generators.image.simulation import Simulation, SimulationConfig
from mlforge.modalities import MODALITIES

STREAMS = Streams(("samples", "config", "seed"))
Pixels = npt.NDArray[np.uint8]


def simulation(augmentation: dict[str, Any] | None = None, **values: Any) -> Simulation:
    category = validated(
        CategoryConfig,
        {
            "category_name": "Cup",
            "category_code": "cup",
            "augmentation_settings": augmentation or {"enable_augmentation": False},
        },
        "config.json",
    )
    config = validated(SimulationConfig, values, "parameters")
    return Simulation(category, MODALITIES.get("image")(), config)


def backdrop(height: int, width: int) -> Pixels:
    """An evenly lit wall with a vignette and a little noise."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    grey = 200 - 50 * (x * x + y * y) / 2 + np.random.default_rng(1).normal(0, 2, (height, width))
    return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def cup(height: int = 96, width: int = 128) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """A red disc with a hole on a backdrop, and where it is."""
    picture = backdrop(height, width)
    mask = np.zeros((height, width), np.uint8)
    cv2.circle(mask, (width // 2, height // 2), height // 3, (1,), -1)
    cv2.circle(mask, (width // 2, height // 2), height // 8, (0,), -1)
    picture[mask == 1] = (190, 30, 40)
    return picture, mask == 1


def arm() -> Pixels:
    """Something that enters from below, as an arm does."""
    picture = backdrop(100, 100)
    picture[40:, 40:60] = (60, 40, 150)
    return picture


def scene(width: int = 96) -> Pixels:
    """Colours all over, with nothing that stands out."""
    rng = np.random.default_rng(4)
    coarse = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, 80), interpolation=cv2.INTER_NEAREST), np.uint8)


def decoded_png(layer: Pixels) -> Pixels:
    """What the generator sees of a PNG file."""
    data = cv2.imencode(".png", cv2.cvtColor(layer, cv2.COLOR_RGBA2BGRA))[1].tobytes()
    return simulation().decode(data)


def test_the_mask_is_the_object_without_its_hole_and_without_the_vignette() -> None:
    seed, truth = cup()
    cutout = cut_out(seed)
    mask = cutout.layer[..., 3] > 127
    assert cutout.source == "estimated"
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9
    assert cutout.touches == (False, False, False, False)
    left, top, right, bottom = cutout.box
    assert abs(left - 32) <= 3
    assert abs(right - 97) <= 3
    assert abs(top - 16) <= 3
    assert abs(bottom - 81) <= 3


def test_a_seed_that_is_transparent_around_its_object_says_itself_what_the_object_is() -> None:
    # On a scene nothing stands out: without its alpha, the whole of it would be taken.
    colors = scene(128)
    alpha = np.zeros(colors.shape[:2], np.uint8)
    cv2.circle(alpha, (70, 40), 30, (255,), -1, cv2.LINE_AA)
    cv2.circle(alpha, (70, 40), 8, (0,), -1, cv2.LINE_AA)
    cutout = cut_out(decoded_png(np.dstack([colors, alpha])))
    assert cutout.source == "alpha"
    np.testing.assert_array_equal(cutout.layer[..., 3], alpha)
    assert cutout.box == (40, 10, 101, 71)
    assert cutout.touches == (False, False, False, False)
    core = cv2.erode(alpha, np.ones((9, 9))) == 255
    np.testing.assert_allclose(cutout.layer[core][:, :3], colors[core], atol=1)


def test_glass_is_seen_in_its_own_colour_and_not_in_the_white_that_was_behind_it() -> None:
    layer = np.full((40, 40, 4), (200, 40, 40, 0), np.uint8)
    layer[8:32, 8:32, 3] = 128
    cutout = cut_out(decoded_png(layer))
    assert cutout.source == "alpha"
    np.testing.assert_allclose(cutout.layer[16, 16], (200, 40, 40, 128), atol=3)


def test_a_seed_that_is_transparent_everywhere_is_taken_as_it_looks() -> None:
    assert cut_out(decoded_png(np.zeros((40, 40, 4), np.uint8))).source == "whole"


def test_samples_of_a_transparent_seed_are_opaque_pictures_and_say_where_the_mask_is_from() -> None:
    seed, mask = cup()
    seen = decoded_png(np.dstack([seed, mask.astype(np.uint8) * 255]))
    made = simulation(shadow=0.0).generate([seen], 1, STREAMS)
    assert made.example.shape == seed.shape
    assert made.recipe[0]["mask"] == "alpha"


def test_no_part_of_the_object_is_lost() -> None:
    seed, truth = cup()
    assert (cut_out(seed).layer[..., 3][truth] > 127).mean() > 0.99


def test_what_differs_from_the_background_inside_the_object_belongs_to_it() -> None:
    seed, _ = cup()
    hole = np.zeros(seed.shape[:2], np.uint8)
    cv2.circle(hole, (64, 48), 11, (1,), -1)
    seed[hole == 1] = (20, 40, 220)
    assert (cut_out(seed).layer[..., 3][hole == 1] > 127).all()


def test_the_old_background_leaves_no_rim() -> None:
    seed, _ = cup()
    layer = cut_out(seed).layer
    rim = (layer[..., 3] > 60) & (layer[..., 3] < 250)
    assert rim.sum() > 20
    assert layer[rim][:, 1].mean() < 90


def test_a_picture_in_which_nothing_stands_out_is_taken_whole_with_a_soft_edge() -> None:
    cutout = cut_out(scene())
    assert cutout.source == "whole"
    assert cutout.box == (0, 0, 96, 80)
    assert (cutout.layer[0, :, 3] == 0).all()
    assert (cutout.layer[10:-10, 10:-10, 3] == 255).all()
    np.testing.assert_array_equal(cutout.layer[..., :3], scene())


@pytest.mark.parametrize(
    "seed",
    [np.full((60, 60, 3), 255, np.uint8), np.zeros((60, 60, 3), np.uint8)],
    ids=["white", "black"],
)
def test_an_empty_picture_is_taken_whole(seed: Pixels) -> None:
    assert cut_out(seed).source == "whole"


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (15, 15), (40, 3)])
def test_a_tiny_seed_is_still_seen(size: tuple[int, int]) -> None:
    seed = np.full((*size, 3), (250, 10, 10), np.uint8)
    sample = simulation().generate([seed], 1, STREAMS).example
    assert sample.shape == seed.shape
    assert sample[..., 0].mean() > 2 * sample[..., 2].mean()


def test_a_mask_is_found_by_content_and_cannot_be_changed() -> None:
    seed, _ = cup()
    first = cut_out(seed)
    assert cut_out(seed.copy()) is first
    with pytest.raises(ValueError, match="read-only"):
        first.layer[0, 0, 0] = 1


def test_the_estimate_does_not_depend_on_what_drew_random_numbers_before() -> None:
    seed, _ = cup()
    cv2.setRNGSeed(7)
    first = cut_out(seed).layer.copy()
    for other in (arm(), scene(), scene(90), scene(91), scene(92)):
        cut_out(other)
    cv2.setRNGSeed(8)
    np.testing.assert_array_equal(cut_out(seed).layer, first)


def test_an_object_stays_inside_the_picture_wherever_it_is_placed() -> None:
    seed, _ = cup()
    cutout = cut_out(seed)
    whole = (cutout.layer[..., 3] > 127).sum()
    rng = np.random.default_rng(0)
    for _ in range(40):
        placement = place(cutout, rng, (0.5, 2.0), 180, 1.0)
        alpha = placed(cutout, placement)[1]
        assert (alpha > 0.5).sum() == pytest.approx(whole * placement.scale**2, rel=0.06)


def test_an_arm_that_enters_from_below_still_does() -> None:
    cutout = cut_out(arm())
    assert cutout.touches == (False, False, False, True)
    rng = np.random.default_rng(0)
    for _ in range(40):
        alpha = placed(cutout, place(cutout, rng, (0.6, 1.1), 15, 1.0))[1]
        assert (alpha[-1] > 0.5).any()
        assert not (alpha[0] > 0.5).any()


def test_an_object_stays_where_it_is_without_movement() -> None:
    cutout = cut_out(cup()[0])
    placement = place(cutout, np.random.default_rng(0), (1.0, 1.0), 0.0, 0.0)
    colors, alpha = placed(cutout, placement)
    np.testing.assert_allclose(alpha * 255, cutout.layer[..., 3], atol=1)
    np.testing.assert_array_equal(colors, cutout.layer[..., :3])


def test_the_object_keeps_its_colours_and_its_surroundings_do_not() -> None:
    seed, truth = cup()
    still: dict[str, Any] = {"scale": [1.0, 1.0], "position": 0, "rotation": 0}
    plain: dict[str, Any] = {"light_fall": 0, "light_warmth": 0, "light_gain": [1.0, 1.0]}
    quiet: dict[str, Any] = {"occlusion": 0, "blur": 0, "shot_noise": 0, "read_noise": 0}
    quiet |= {"jpeg_quality": [100, 100]}
    generator = simulation(**still, **plain, **quiet)
    inside = cv2.erode(truth.astype(np.uint8), np.ones((5, 5))) == 1
    outside = cv2.dilate(truth.astype(np.uint8), np.ones((9, 9))) == 0
    means = []
    for copy in range(1, 6):
        sample = generator.generate([seed], copy, STREAMS).example
        np.testing.assert_allclose(sample[inside].astype(int), seed[inside], atol=2)
        means.append(sample[outside].mean(axis=0))
    assert np.ptp(means, axis=0).min() > 20


def test_the_recipe_says_what_was_drawn() -> None:
    recipe = simulation().generate([cup()[0]], 1, STREAMS).recipe
    steps = [entry["step"] for entry in recipe]
    assert [s for s in steps if s != "occlusion"] == [
        *("object", "background", "shadow", "light", "camera")
    ]
    assert recipe[0]["mask"] == "estimated"


def test_half_of_the_samples_have_something_in_front_of_the_object() -> None:
    generator = simulation(occlusion=0.3)
    seed, _ = cup(48, 64)
    recipes = [generator.generate([seed], copy, STREAMS).recipe for copy in range(200)]
    hidden = [any(entry["step"] == "occlusion" for entry in recipe) for recipe in recipes]
    assert np.mean(hidden) == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("backgrounds", ["plain"]),
        ("scale", [0.4, 0.5]),
        ("position", 0.0),
        ("rotation", 90.0),
        ("occlusion", 0.5),
        ("shadow", 0.0),
        ("light_fall", 0.0),
        ("light_warmth", 0.0),
        ("light_gain", [1.3, 1.3]),
        ("blur", 0.03),
        ("shot_noise", 0.3),
        ("read_noise", 0.3),
        ("jpeg_quality", [10, 10]),
    ],
)
def test_every_parameter_changes_samples(key: str, value: Any) -> None:
    seed, _ = cup()
    usual, other = simulation(), simulation(**{key: value})
    pairs = [
        [g.generate([seed], copy, STREAMS).example for g in (usual, other)] for copy in range(1, 9)
    ]
    assert any(not np.array_equal(one, two) for one, two in pairs)


def test_every_background_is_painted_in_a_way_of_its_own() -> None:
    seed, _ = cup()
    kinds = SimulationConfig().backgrounds
    made = {
        simulation(backgrounds=[k]).generate([seed], 1, STREAMS).example.tobytes() for k in kinds
    }
    assert len(made) == len(kinds) == 9


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"scale": [1.0, 0.5]}, "scale begins at 1.0, above its end 0.5"),
        ({"position": 2}, "position"),
        ({"backgrounds": ["sky"]}, "backgrounds"),
        ({"occlusion": 0.9}, "occlusion"),
        ({"colour": 1}, "colour"),
    ],
)
def test_wrong_parameters_are_refused(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        simulation(**values)


def test_the_ratio_is_the_share_of_samples_that_pass_through_the_techniques() -> None:
    generator = simulation({"augmentation_ratio": 0.3, "techniques": ["brightness"]})
    seed, _ = cup(24, 32)
    recipes = [generator.generate([seed], copy, STREAMS).recipe for copy in range(300)]
    varied = ["technique" in recipe[-1] for recipe in recipes]
    assert np.mean(varied) == pytest.approx(0.3, abs=0.08)
    assert generator.limit_per_seed() is None


@pytest.mark.parametrize("shape", [(16, 700), (700, 16), (24, 700), (17, 2048)])
def test_a_seed_too_long_to_tell_its_background_is_taken_whole(shape: tuple[int, int]) -> None:
    cutout = cut_out(np.full((*shape, 3), 200, np.uint8))
    assert cutout.layer.shape == (*shape, 4)
    assert cutout.source == "whole"
