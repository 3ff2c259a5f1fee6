from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mlforge import Project
from mlforge.core.digest import digest_bytes
from mlforge.core.records import SampleRecord
from mlforge.core.reporting import SilentReporter
from mlforge.errors import ConfigError
from mlforge.storage.manifest import read_manifest
from mlforge.workflows.generate import GeneratedCategory, GenerateOptions, GenerateResult
from mlforge.workflows.sample_recipe import make_recipe

Draw = Callable[[str, int], bytes]

ONE_WORKER = GenerateOptions(workers=1)


def generate(project: Project, **options: Any) -> GenerateResult:
    return project.generate(GenerateOptions(**{"workers": 1, **options}))


def of(result: GenerateResult, code: str) -> GeneratedCategory:
    return next(category for category in result.categories if category.code == code)


def samples_folder(project: Project, code: str) -> Path:
    return project.root / "categories" / code / "samples"


def records(project: Project, code: str) -> tuple[SampleRecord, ...]:
    manifest = read_manifest(samples_folder(project, code))
    assert manifest is not None
    return manifest.records


def contents(project: Project, *codes: str) -> dict[str, bytes]:
    """Everything that generating makes, by path."""
    folders = [samples_folder(project, code) for code in codes or ("circle", "square", "triangle")]
    files = [path for folder in folders for path in folder.iterdir()]
    found = {str(path.relative_to(project.root)): path.read_bytes() for path in files}
    return found if codes else found | {"lock": (project.root / "mlforge.lock").read_bytes()}


def pixels(path: Path) -> npt.NDArray[Any]:
    picture = cv2.imread(str(path))
    assert picture is not None
    return picture


def configure(project: Project, code: str, section: str, **values: Any) -> None:
    path = project.root / "categories" / code / "config.json"
    config = json.loads(path.read_text())
    if section:
        config[section] |= values
    else:
        config |= values
    path.write_text(json.dumps(config))


def parameters(project: Project, code: str, **values: Any) -> None:
    configure(project, code, "generation_settings", parameters=values)


def warnings_of(project: Project, options: GenerateOptions = ONE_WORKER) -> list[str]:
    reporter = SilentReporter()
    Project(project.root, reporter).generate(options)
    return reporter.warnings


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("augmentation_settings", {"techniques": ["rotation"]}),
        ("augmentation_settings", {"techniques": [{"name": "rotation", "limit": 3.0}]}),
        ("augmentation_settings", {"augmentation_ratio": 0.5}),
        ("quality_thresholds", {"min_quality": 0.25}),
        ("quality_thresholds", {"max_file_size": "300KB"}),
        ("generation_settings", {"parameters": {"format": "webp"}}),
        ("generation_settings", {"parameters": {"format": "jpg", "quality": 50}}),
    ],
)
def test_a_key_that_shapes_samples_remakes_its_category_alone(
    generated: Project, section: str, values: dict[str, Any]
) -> None:
    others = contents(generated, "circle", "triangle")
    configure(generated, "square", section, **values)
    assert {o.code: o.state for o in generated.samples()} == {
        "circle": "complete",
        "square": "stale",
        "triangle": "complete",
    }
    result = generate(generated, count=8)
    assert (of(result, "square").n_made, of(result, "square").n_removed) == (8, 8)
    assert {of(result, code).n_made for code in ("circle", "triangle")} == {0}
    assert contents(generated, "circle", "triangle") == others
    assert {overview.state for overview in generated.samples()} == {"complete"}


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("quality_thresholds", {"min_confidence": 0.5}),
        ("quality_thresholds", {"max_file_size": "24MB"}),
        ("generation_settings", {"parameters": {}}),
        ("generation_settings", {"parameters": {"format": "png", "quality": 50}}),
        ("generation_settings", {"parameters": {"format": "png", "unknown": 1}}),
        ("generation_settings", {"api_endpoint": "https://example.org"}),
        ("metadata", {"tags": ["a", "b"], "owner": "me"}),
        ("", {"category_name": "Four corners"}),
        ("", {"group_pattern": "{group}_*"}),
    ],
)
def test_a_key_that_shapes_no_sample_remakes_nothing(
    generated: Project, section: str, values: dict[str, Any]
) -> None:
    before = contents(generated)
    configure(generated, "square", section, **values)
    assert {overview.state for overview in generated.samples()} == {"complete"}
    assert generate(generated, count=8).up_to_date
    assert contents(generated) == before


def config_digest(project: Project, **settings: Any) -> str:
    configure(project, "circle", "generation_settings", **settings)
    workspace = Project(project.root).workspace
    return make_recipe(workspace, workspace.category("circle")).config


API = {"method": "api", "api_endpoint": "https://example.org/one"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("requests_per_second", 0.5),
        ("timeout", 3.0),
        ("key_variable", "MLFORGE_KEY"),
        ("key_header", "X-Key"),
        ("key_scheme", ""),
    ],
)
def test_how_a_service_is_asked_shapes_no_sample(project: Project, key: str, value: Any) -> None:
    before = config_digest(project, **API, parameters={})
    assert config_digest(project, parameters={key: value}) == before


@pytest.mark.parametrize(
    "settings",
    [
        {"api_endpoint": "https://example.org/two"},
        {"parameters": {"template": {"q": "{input}"}}},
        {"parameters": {"answer": "url"}},
        {"parameters": {"headers": {"X-Style": "round"}}},
        {"method": "augmentation"},
    ],
)
def test_what_a_service_is_asked_shapes_samples(project: Project, settings: dict[str, Any]) -> None:
    before = config_digest(project, **API, parameters={})
    assert config_digest(project, **settings) != before


def test_a_parameter_of_a_generator_shapes_samples_and_its_default_written_out_does_not(
    project: Project,
) -> None:
    before = config_digest(project, method="simulation", parameters={})
    assert config_digest(project, parameters={"scale": [0.75, 1.1]}) == before
    assert config_digest(project, parameters={"scale": [0.75, 1.0]}) != before


def test_the_image_size_shapes_samples(generated: Project) -> None:
    settings = generated.root / "mlforge.toml"
    settings.write_text(settings.read_text() + "\n[image]\nsize = 32\n")
    assert {overview.state for overview in generated.samples()} == {"stale"}
    assert {c.n_made for c in generate(generated, count=8).categories} == {8}
    path = samples_folder(generated, "circle") / records(generated, "circle")[0].file
    assert pixels(path).shape == (32, 32, 3)


def test_poor_samples_are_drawn_again(project: Project) -> None:
    threshold = 0.6
    generate(project, codes=("circle",), count=40)
    plain = {(r.seed, r.copy): r.quality for r in records(project, "circle")}
    poor = {key for key, quality in plain.items() if quality < threshold}
    assert poor, "the threshold must bite"
    configure(project, "circle", "quality_thresholds", min_quality=threshold)
    generate(project, codes=("circle",), count=40)
    made = [record for record in records(project, "circle") if not record.failure]
    assert all(record.quality >= threshold for record in made)
    assert poor & {(record.seed, record.copy) for record in made}


def test_samples_that_stay_poor_are_reported_and_not_drawn_forever(project: Project) -> None:
    configure(project, "circle", "quality_thresholds", min_quality=1.0)
    category = of(generate(project, codes=("circle",), count=4), "circle")
    assert (category.n_wanted, category.n_samples, category.n_made) == (4, 0, 0)
    assert len(category.failures) == 4
    assert all("below min_quality 1.0" in failure.reason for failure in category.failures)
    assert all("in 11 draws" in failure.reason for failure in category.failures)
    assert category.failures[0].file.startswith("circle_")
    (overview,) = project.samples(("circle",))
    assert (overview.n_samples, overview.n_failed, overview.state) == (0, 4, "complete")
    assert generate(project, codes=("circle",), count=4).up_to_date


def test_a_lossless_sample_above_the_size_limit_is_reported(project: Project) -> None:
    path = project.root / "categories" / "circle" / "seeds"
    limit = max(seed.stat().st_size for seed in path.iterdir())
    configure(project, "circle", "quality_thresholds", max_file_size=limit)
    parameters(project, "circle", format="png")
    configure(project, "circle", "augmentation_settings", techniques=["noise_addition"])
    category = of(generate(project, codes=("circle",), count=12), "circle")
    too_large = [f for f in category.failures if "above max_file_size" in f.reason]
    assert too_large
    assert category.n_samples == 12 - len(too_large)
    assert all(r.n_bytes <= limit for r in records(project, "circle"))


def test_a_jpeg_above_the_size_limit_is_encoded_smaller(project: Project) -> None:
    parameters(project, "circle", format="jpg", quality=100)
    generate(project, codes=("circle",), count=4)
    plain = [record.n_bytes for record in records(project, "circle")]
    seeds = list((project.root / "categories" / "circle" / "seeds").iterdir())
    jpegs = [cv2.imencode(".jpg", pixels(seed))[1].tobytes() for seed in seeds]
    for seed, data in zip(seeds, jpegs, strict=True):
        seed.unlink()
        seed.with_suffix(".jpg").write_bytes(data)
    limit = max(min(plain) - 1, *map(len, jpegs))
    configure(project, "circle", "quality_thresholds", max_file_size=limit)
    category = of(generate(project, codes=("circle",), count=4), "circle")
    assert category.n_samples == 4
    assert not category.failures
    assert all(record.n_bytes <= limit for record in records(project, "circle"))


def test_seeds_above_the_size_limit_are_refused_and_named(project: Project) -> None:
    seeds = sorted((project.root / "categories" / "circle" / "seeds").iterdir())
    large = max(seeds, key=lambda path: path.stat().st_size)
    configure(
        project, "circle", "quality_thresholds", max_file_size=f"{large.stat().st_size - 1} B"
    )
    category = of(generate(project, codes=("circle",), count=4, dry_run=True), "circle")
    assert large.name in {failure.file for failure in category.failures}
    assert category.n_seeds == len(seeds) - len(category.failures)
    assert "above max_file_size" in category.failures[0].reason


@pytest.mark.parametrize(
    ("file_format", "magic"), [("jpg", b"\xff\xd8\xff"), ("webp", b"RIFF"), ("png", b"\x89PNG")]
)
def test_the_format_decides_how_samples_are_written(
    project: Project, file_format: str, magic: bytes
) -> None:
    parameters(project, "circle", format=file_format)
    generate(project, codes=("circle",), count=4)
    files = list(samples_folder(project, "circle").glob("sample_*"))
    assert len(files) == 4
    for path in files:
        assert path.suffix == f".{file_format}"
        assert path.read_bytes().startswith(magic)


def test_a_lower_quality_gives_smaller_files(project: Project) -> None:
    sizes = []
    for quality in ("high", "low", 10):
        parameters(project, "circle", format="jpg", quality=quality)
        generate(project, codes=("circle",), count=4)
        sizes.append(sum(record.n_bytes for record in records(project, "circle")))
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"format": "gif"}, "format"),
        ({"quality": 101}, "quality"),
        ({"quality": "best"}, "quality"),
    ],
)
def test_a_wrong_parameter_names_file_and_key_and_nothing_is_written(
    generated: Project, values: dict[str, Any], key: str
) -> None:
    before = contents(generated)
    parameters(generated, "triangle", **values)
    with pytest.raises(ConfigError) as caught:
        generate(generated, count=3)
    assert "categories/triangle/config.json" in caught.value.message
    assert "generation_settings.parameters" in caught.value.message
    assert key in caught.value.message
    assert contents(generated) == before


def test_an_unknown_technique_suggests_the_nearest(project: Project) -> None:
    configure(project, "circle", "augmentation_settings", techniques=["rotaton"])
    with pytest.raises(ConfigError, match=r"techniques\[0\]") as caught:
        generate(project)
    assert "did you mean 'rotation'?" in caught.value.hint


def test_an_unknown_method_suggests_the_nearest(project: Project) -> None:
    configure(project, "circle", "generation_settings", method="augment")
    with pytest.raises(ConfigError, match=r"generation_settings\.method") as caught:
        generate(project)
    assert "did you mean 'augmentation'?" in caught.value.hint


def test_a_ratio_below_one_leaves_some_samples_untouched(project: Project) -> None:
    configure(project, "triangle", "augmentation_settings", augmentation_ratio=0.5)
    generate(project, codes=("triangle",), count=24)
    untouched = [record for record in records(project, "triangle") if not record.recipe]
    assert untouched
    assert len({record.seed for record in untouched}) == len(untouched), "at most one a seed"
    by_seed = {
        digest_bytes(path.read_bytes()): pixels(path)
        for path in (project.root / "categories" / "triangle" / "seeds").iterdir()
    }
    for record in untouched:
        picture = pixels(samples_folder(project, "triangle") / record.file)
        np.testing.assert_array_equal(picture, by_seed[record.seed])


def test_a_ratio_of_zero_gives_one_untouched_copy_a_seed(project: Project) -> None:
    configure(project, "circle", "augmentation_settings", augmentation_ratio=0.0)
    assert of(generate(project, codes=("circle",), count=12), "circle").n_samples == 4
    assert all(not record.recipe for record in records(project, "circle"))


def test_without_augmentation_there_is_one_copy_a_seed_and_the_shortfall_shows(
    project: Project,
) -> None:
    configure(project, "circle", "augmentation_settings", enable_augmentation=False)
    category = of(generate(project, codes=("circle",), count=12), "circle")
    assert (category.n_wanted, category.n_samples, category.n_made) == (12, 4, 4)
    assert {record.copy for record in records(project, "circle")} == {1}
    assert generate(project, codes=("circle",), count=12).up_to_date
    assert {o.state for o in project.samples(("circle",))} == {"complete"}


def test_keys_without_effect_are_warned_of(project: Project) -> None:
    parameters(project, "circle", format="png", custom_param1="x")
    configure(project, "circle", "generation_settings", api_endpoint="https://example.org")
    configure(project, "circle", "quality_thresholds", min_duration=1.0, max_duration=2.0)
    configure(project, "circle", "", sample_inputs=["a cup"], target=3.0)
    warnings = warnings_of(project, GenerateOptions(codes=("circle",), count=4, workers=1))
    for key in (
        "custom_param1",
        "api_endpoint",
        "min_duration",
        "max_duration",
        "sample_inputs",
        "target",
    ):
        assert any(key in warning for warning in warnings), key
    assert len(warnings) == 6
    assert all(w.startswith("categories/circle/config.json: ") for w in warnings)


def test_an_ordinary_configuration_is_not_warned_of(project: Project) -> None:
    assert warnings_of(project, GenerateOptions(count=2, workers=1)) == []
