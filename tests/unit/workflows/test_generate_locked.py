from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlforge import Project
from mlforge.errors import ConfigError, DataError
from mlforge.generators.augmentation import Augmentation
from mlforge.storage.lock_file import read_lock, update_lock
from mlforge.storage.manifest import read_manifest
from mlforge.workflows import sample_worker
from mlforge.workflows.generate import GenerateOptions, GenerateResult

Draw = Callable[[str, int], bytes]
CODES = ("circle", "square", "triangle")


def locked(project: Project, **options: Any) -> GenerateResult:
    return project.generate(GenerateOptions(**{"workers": 1, "locked": True, **options}))


def folder(project: Project, code: str) -> Path:
    return project.root / "categories" / code / "samples"


def contents(project: Project) -> dict[str, bytes]:
    paths = [path for code in CODES for path in folder(project, code).glob("*")]
    paths.append(project.root / "mlforge.lock")
    return {str(path.relative_to(project.root)): path.read_bytes() for path in paths}


def configure(project: Project, code: str, **values: Any) -> None:
    path = project.root / "categories" / code / "config.json"
    config = json.loads(path.read_text())
    config["augmentation_settings"] |= values
    path.write_text(json.dumps(config))


def falsify(project: Project, code: str, **values: Any) -> None:
    """Let the lock say something else of a category."""
    path = project.root / "mlforge.lock"
    known = read_lock(path)
    update_lock(path, {code: dataclasses.replace(known[code], **values)}, list(known))


def staged(project: Project) -> list[Path]:
    return list((project.root / "artifacts" / "locked").rglob("sample_*"))


def test_what_the_lock_says_is_made_from_nothing(generated: Project) -> None:
    before = contents(generated)
    generated.clean_samples()
    result = locked(generated)
    assert {(c.n_wanted, c.count_from, c.n_made) for c in result.categories} == {(8, "lock", 8)}
    assert contents(generated) == before
    assert staged(generated) == []


def test_where_everything_is_as_locked_nothing_is_done(generated: Project) -> None:
    before = contents(generated)
    assert locked(generated).up_to_date
    assert contents(generated) == before


def test_surplus_samples_go_and_damaged_ones_are_made_again(generated: Project) -> None:
    before = contents(generated)
    lock = (generated.root / "mlforge.lock").read_bytes()
    generated.generate(GenerateOptions(count=11, workers=1))
    (generated.root / "mlforge.lock").write_bytes(lock)
    damaged = next(folder(generated, "circle").glob("*_0001.png"))
    damaged.write_bytes(damaged.read_bytes()[::-1])
    result = locked(generated)
    assert {c.n_samples for c in result.categories} == {8}
    assert sum(c.n_made for c in result.categories) == 1
    assert contents(generated) == before


def test_force_makes_every_sample_again_and_compares(generated: Project) -> None:
    before = contents(generated)
    result = locked(generated, force=True)
    assert {(c.n_made, c.n_kept) for c in result.categories} == {(8, 0)}
    assert contents(generated) == before


@pytest.mark.parametrize("clean", [True, False])
def test_other_samples_than_the_locked_ones_change_nothing(generated: Project, clean: bool) -> None:
    falsify(generated, "square", samples="0" * 64)
    if clean:
        generated.clean_samples()
    before = contents(generated)
    with pytest.raises(DataError, match="square: the samples are not those") as caught:
        locked(generated, force=True)
    assert "this processor" in caught.value.message
    assert "mlforge samples generate" in caught.value.hint
    assert contents(generated) == before
    assert staged(generated) == []


def test_samples_of_another_library_version_stay_until_the_locked_ones_are_made(
    generated: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Augmentation, "versions", classmethod(lambda cls: {"engine": "2"}))
        falsify(generated, "circle", samples="0" * 64)
        before = contents(generated)
        with pytest.raises(DataError, match="another library version: engine none -> 2"):
            locked(generated)
        assert contents(generated) == before


def test_another_configuration_is_named_before_anything_is_made(generated: Project) -> None:
    configure(generated, "square", techniques=["rotation"])
    before = contents(generated)
    with pytest.raises(DataError, match="square: its configuration") as caught:
        locked(generated)
    assert caught.value.exit_code == 3
    assert "circle" not in caught.value.message
    assert contents(generated) == before


def test_seeds_that_came_and_went_are_named(generated: Project, draw: Draw) -> None:
    seeds = generated.root / "categories" / "circle" / "seeds"
    (seeds / "new.png").write_bytes(draw("circle", 99))
    (seeds / "circle_0.png").unlink()
    before = contents(generated)
    with pytest.raises(DataError, match=r"circle: 1 seed or input new \(new\.png\), 1 .* gone"):
        locked(generated)
    assert contents(generated) == before


def test_a_category_that_the_lock_does_not_know_is_named(generated: Project) -> None:
    (generated.root / "mlforge.lock").unlink()
    with pytest.raises(DataError, match="says nothing of category 'circle'") as caught:
        locked(generated)
    assert caught.value.hint == "mlforge samples generate circle"


def test_a_count_beside_the_lock_is_refused(generated: Project) -> None:
    with pytest.raises(ConfigError, match="the lock says how many"):
        locked(generated, count=8)


def test_samples_that_could_not_be_made_are_locked_too(project: Project) -> None:
    path = project.root / "categories" / "circle" / "config.json"
    config = json.loads(path.read_text())
    config["quality_thresholds"]["min_quality"] = 0.65
    path.write_text(json.dumps(config))
    (made,) = project.generate(GenerateOptions(("circle",), 40, workers=1)).categories
    manifest = read_manifest(folder(project, "circle"))
    assert manifest is not None
    project.clean_samples(("circle",))
    (again,) = locked(project, codes=("circle",)).categories
    assert (again.n_samples, again.failures) == (made.n_samples, made.failures)
    assert read_manifest(folder(project, "circle")) == manifest


@pytest.mark.parametrize("count", [None, 80])
def test_who_asked_for_the_count_is_known_after_making_what_the_lock_says(
    project: Project, count: int | None
) -> None:
    project.generate(GenerateOptions(("circle",), count, workers=1))
    before = read_manifest(folder(project, "circle"))
    project.clean_samples()
    locked(project, codes=("circle",))
    assert read_manifest(folder(project, "circle")) == before
    assert before is not None
    assert before.asked == count


def test_a_dry_run_says_what_would_be_made(generated: Project) -> None:
    generated.clean_samples(("square",))
    result = locked(generated, dry_run=True)
    assert {c.code: c.n_made for c in result.categories} == {
        "circle": 0,
        "square": 8,
        "triangle": 0,
    }
    assert not folder(generated, "square").exists()


def test_an_interrupted_run_goes_on_where_it_was(
    generated: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(generated)
    chunks: list[sample_worker.SampleChunk] = []

    def make(chunk: sample_worker.SampleChunk) -> sample_worker.MadeChunk:
        chunks.append(chunk)
        if len(chunks) == 3:
            raise KeyboardInterrupt
        return sample_worker.make_chunk(chunk)

    with monkeypatch.context() as patch:
        patch.setattr("mlforge.workflows.generate.make_chunk", make)
        with pytest.raises(KeyboardInterrupt):
            locked(generated, force=True)
        assert contents(generated) == before
        assert len(staged(generated)) == 16
        locked(generated, force=True)
    assert len(chunks) == 4, "two were made before, one now"
    assert contents(generated) == before
    assert staged(generated) == []
