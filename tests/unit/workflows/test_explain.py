from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mlforge import Project
from mlforge.core.records import Prediction
from mlforge.errors import StorageError
from mlforge.modalities import Modality
from mlforge.modalities.image import Image
from mlforge.workflows.explain import Explanation, _orders, picture_paths
from mlforge.workflows.explanation_picture import (
    PICTURE_SIDE,
    activation_picture,
    explanation_picture,
)
from mlforge.workflows.predict import Predictor

Draw = Callable[[str, int], bytes]
Pixels = npt.NDArray[np.uint8]


def explained(project: Project, data: bytes) -> Explanation:
    explainer = project.explainer()
    return explainer.explain(explainer.predictor.decode(data, "x"), "x")


def test_an_explanation_is_of_the_prediction_that_predict_gives(
    trained: Project, draw: Draw
) -> None:
    explanation = explained(trained, draw("circle", 200))
    expected = trained.predictor().predict_bytes(draw("circle", 200), "x")
    found = explanation.prediction
    assert (found.prediction, found.all_probabilities) == (
        expected.prediction,
        expected.all_probabilities,
    )


def test_the_effects_of_the_features_add_up_to_the_confidence(trained: Project, draw: Draw) -> None:
    explanation = explained(trained, draw("circle", 200))
    assert explanation.baseline is not None
    assert {effect.extractor for effect in explanation.features} == {"thumbnail", "color"}
    total = explanation.baseline + sum(effect.effect for effect in explanation.features)
    assert total == pytest.approx(explanation.prediction.confidence, abs=1e-5)


def test_the_nearest_seeds_come_first_and_a_seed_is_nearest_to_itself(
    trained: Project, draw: Draw
) -> None:
    nearest = explained(trained, draw("square", 2)).nearest_seeds
    assert (nearest[0].category, nearest[0].distance) == ("square", 0.0)
    assert nearest[0].file == "categories/square/seeds/square_2.png"
    distances = [seed.distance for seed in nearest]
    assert distances == sorted(distances)
    assert distances[1] > 0


class Corner(Predictor):
    """A model that sees the brightness of the upper left corner alone."""

    def predict_example(self, example: Pixels, file: str) -> Prediction:
        return self.prediction(self.probabilities([example])[0], file, known=True)

    def probabilities(self, examples: object) -> npt.NDArray[np.float64]:
        assert isinstance(examples, list)
        bright = np.array([float(example[:12, :12].mean()) / 255 for example in examples])
        rest = (1 - bright) / 2
        return np.stack([bright, rest, rest], axis=1)


def test_the_region_that_the_model_looks_at_has_the_effect(trained: Project) -> None:
    example = np.zeros((60, 60, 3), np.uint8)
    example[:12, :12] = 255
    explainer = trained.explainer()
    explainer.predictor.__class__ = Corner
    regions = explainer.explain(example, "x").regions
    assert regions[0].effect > 0.5
    assert regions[0].region.where == {"x": (0.0, 0.3), "y": (0.0, 0.3)}
    for found in regions:
        if min(found.region.where["x"][0], found.region.where["y"][0]) > 0.4:
            assert abs(found.effect) < 0.01


def test_a_batch_of_hidden_regions_is_in_memory_at_a_time(
    trained: Project, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    features = Predictor.features

    def counted(predictor: Predictor, examples: list[Pixels]) -> npt.NDArray[np.float32]:
        sizes.append(len(examples))
        return features(predictor, examples)

    monkeypatch.setattr(Predictor, "features", counted)
    explained(trained, draw("circle", 200))
    assert sum(sizes) > 64
    assert max(sizes) == 16


def test_without_seeds_there_are_regions_and_the_reason(trained: Project, draw: Draw) -> None:
    shutil.rmtree(trained.root / "categories")
    explanation = explained(trained, draw("circle", 200))
    assert explanation.regions
    assert (explanation.baseline, explanation.features, explanation.nearest_seeds) == (None, (), ())
    assert explanation.notes == (
        "the project has no seeds of the model's categories to compare with",
    )


def test_settings_that_changed_since_are_said(trained: Project, draw: Draw) -> None:
    (trained.root / "mlforge.toml").write_text("[image]\nsize = 20\n")
    (note,) = explained(trained, draw("circle", 200)).notes
    assert "has changed since the model was trained" in note


def test_a_category_in_a_bad_way_does_not_prevent_the_rest(trained: Project, draw: Draw) -> None:
    (trained.root / "categories" / "circle" / "config.json").write_text("{")
    explanation = explained(trained, draw("circle", 200))
    assert explanation.regions
    assert "circle/config.json" in explanation.notes[0]


def test_a_modality_that_hides_nothing_gives_no_regions(
    trained: Project, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "occlusions", Modality.occlusions)
    explanation = explained(trained, draw("circle", 200))
    assert explanation.regions == ()
    assert explanation.notes == ("the modality image cannot hide regions",)
    assert explanation.nearest_seeds


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (7, 3), (60, 90)])
def test_the_hidden_regions_cover_a_picture_of_any_shape(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    before = pixels.copy()
    covered = np.zeros(shape, bool)
    for region, hidden in Image().occlusions(pixels):
        assert hidden.shape == pixels.shape
        assert hidden.dtype == np.uint8
        (left, right), (top, bottom) = region.where["x"], region.where["y"]
        rows = slice(round(top * shape[0]), round(bottom * shape[0]))
        covered[rows, round(left * shape[1]) : round(right * shape[1])] = True
        assert all(0 <= edge <= 1 for edge in region.box)
    assert covered.all()
    assert np.array_equal(pixels, before)


def test_hiding_a_part_of_a_plain_background_changes_nothing() -> None:
    pixels = np.full((50, 50, 3), (10, 200, 30), np.uint8)
    pixels[20:30, 20:30] = 255
    for region, hidden in Image().occlusions(pixels):
        if region.where["x"][1] <= 0.3 and region.where["y"][1] <= 0.3:
            assert np.abs(hidden.astype(int) - pixels).max() <= 1


def test_the_picture_shows_the_example_and_colours_beside_it(
    trained: Project, draw: Draw, tmp_path: Path
) -> None:
    explainer = trained.explainer()
    example = explainer.predictor.decode(draw("circle", 200), "x")
    explanation = explainer.explain(example, "x")
    explainer.save_picture(explanation, example, tmp_path / "why" / "x.png")
    found = cv2.imread(str(tmp_path / "why" / "x.png"))
    assert found is not None
    assert found.shape[1] > 2 * PICTURE_SIDE
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        explainer.save_picture(explanation, example, tmp_path / "file" / "x.png")


def test_red_speaks_for_and_blue_against_and_nothing_has_no_colour() -> None:
    grey = np.full((100, 100, 3), 128, np.uint8)
    boxes = [((0.0, 0.0, 0.3, 0.3), 0.4), ((0.4, 0.4, 0.6, 0.6), 0.0), ((0.7, 0.7, 1, 1), -0.4)]
    learned = np.diag(np.array([4, 0, 0, 0, -4], np.float32))
    data = explanation_picture(grey, boxes, "cup", 0.9, {"learned": learned})
    picture = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), int)
    for panel in (picture[16:116, 132:232], picture[16:116, 248:348]):
        blue, _, red = panel[12, 12]
        assert red > blue + 50
        blue, _, red = panel[88, 88]
        assert blue > red + 50
        assert np.ptp(panel[50, 50]) < 5


def test_of_a_map_that_speaks_for_it_everywhere_the_most_is_red_and_nothing_blue() -> None:
    grey = np.full((100, 100, 3), 128, np.uint8)
    activation = np.full((5, 5), 3, np.float32)
    activation[2, 2] = 7
    picture = activation_picture(grey, activation).astype(int)
    red, _, blue = picture[50, 50]
    assert red > blue + 50
    assert np.ptp(picture[5, 5]) < 5
    assert (picture[..., 2] <= picture[..., 0]).all()


def test_pictures_never_take_the_place_of_an_input_or_of_each_other(tmp_path: Path) -> None:
    names = ["a/x.jpg", "b/x.jpg", str(tmp_path / "x-explained.png"), "-", "y" * 200 + ".png"]
    paths = picture_paths(names, tmp_path)
    assert len({path.resolve() for path in paths}) == len(names)
    assert not {path.resolve() for path in paths} & {Path(name).resolve() for name in names}
    assert [path.name for path in paths[:4]] == [
        *("x-explained-2.png", "x-explained-3.png"),
        *("x-explained-explained.png", "stdin-explained.png"),
    ]
    assert len(paths[4].name) < 100


def test_every_extractor_stands_in_every_order_and_orders_are_the_same_every_time() -> None:
    assert len(_orders(("a", "b", "c"))) == 6
    many = tuple("abcdefgh")
    assert _orders(many) == _orders(many)
    assert all(sorted(order) == list(many) for order in _orders(many))
