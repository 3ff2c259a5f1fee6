from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest

from mlforge import Project
from mlforge.core.digest import digest_bytes
from mlforge.core.randomness import Streams
from mlforge.core.records import SampleRecord
from mlforge.errors import DataError
from mlforge.generators import Generated, Generator
from mlforge.generators.augmentation import Augmentation
from mlforge.storage.manifest import read_manifest
from mlforge.techniques.image.rotation import Rotation
from mlforge.workflows import sample_recipe
from mlforge.workflows.generate import GeneratedCategory, GenerateOptions


class Written(Generator):
    """Writes its input on noise."""

    name = "written"
    needs_seeds: ClassVar[bool] = False
    takes_inputs: ClassVar[bool] = True

    def generate(
        self, sources: Sequence[Any], copy: int, streams: Streams, attempt: int = 0
    ) -> Generated:
        (text,) = sources
        picture = streams.rng("copy", copy, attempt).integers(0, 255, (48, 96, 3), dtype=np.uint8)
        cv2.putText(picture, text, (4, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0))
        return Generated(picture, ({"step": "written", "text": text},))

    @classmethod
    def versions(cls) -> dict[str, str]:
        return {"pen": "1.0"}


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project with one category that is made from three inputs, one of them twice."""
    method = sample_recipe._method
    monkeypatch.setattr(
        sample_recipe,
        "_method",
        lambda workspace, category: (
            Written if category.code == "words" else method(workspace, category)
        ),
    )
    project = Project.init(tmp_path / "project")
    project.add_category("words")
    inputs(project, "one", "two", "one", "drei \u00fc")
    return project


def inputs(project: Project, *texts: str) -> None:
    path = project.root / "categories" / "words" / "config.json"
    config = json.loads(path.read_text())
    config["sample_inputs"] = texts
    path.write_text(json.dumps(config))


def generate(project: Project, **options: Any) -> GeneratedCategory:
    (category,) = project.generate(GenerateOptions(**{"workers": 1, **options})).categories
    return category


def records(project: Project) -> tuple[SampleRecord, ...]:
    manifest = read_manifest(project.root / "categories" / "words" / "samples")
    assert manifest is not None
    return manifest.records


def test_each_input_is_a_source_once_named_by_the_digest_of_its_text(written: Project) -> None:
    category = generate(written)
    assert (category.n_seeds, category.n_samples) == (3, 60)
    texts = {digest_bytes(text.encode()): text for text in ("one", "two", "drei \u00fc")}
    for record in records(written):
        assert record.recipe == ({"step": "written", "text": texts[record.seed]},)
        assert record.file == f"sample_{record.seed[:8]}_{record.copy:04d}.png"


def test_another_input_changes_no_byte_of_the_others_samples(written: Project) -> None:
    generate(written, count=6)
    before = {record.file: record for record in records(written)}
    inputs(written, "one", "two", "drei \u00fc", "four")
    category = generate(written, count=8)
    assert (category.n_made, category.n_kept) == (2, 6)
    after = {record.file: record for record in records(written)}
    assert before.items() <= after.items()


def test_an_input_that_goes_takes_its_samples_along(written: Project) -> None:
    generate(written, count=6)
    inputs(written, "two")
    category = generate(written, count=2)
    assert (category.n_made, category.n_removed) == (0, 4)
    assert {record.seed for record in records(written)} == {digest_bytes(b"two")}


def test_without_inputs_the_fix_is_named(written: Project) -> None:
    inputs(written)
    with pytest.raises(DataError, match="'words' has no sample_inputs") as caught:
        generate(written)
    assert "categories/words/config.json" in caught.value.hint


def test_a_failure_names_the_input(written: Project) -> None:
    path = written.root / "categories" / "words" / "config.json"
    config = json.loads(path.read_text())
    config["quality_thresholds"]["min_quality"] = 1.0
    path.write_text(json.dumps(config))
    failures = generate(written, count=3).failures
    assert {failure.file for failure in failures} == {
        "one (copy 1)",
        "two (copy 1)",
        "drei \u00fc (copy 1)",
    }


def test_the_lock_notes_the_versions_of_the_generators_libraries(written: Project) -> None:
    generate(written, count=3)
    lock = json.loads((written.root / "mlforge.lock").read_bytes())
    assert "pen=1.0" in lock["categories"]["words"]["versions"].split()


@pytest.mark.parametrize("component", [Augmentation, Rotation])
def test_a_raised_revision_remakes_samples(
    generated: Project, monkeypatch: pytest.MonkeyPatch, component: type[Any]
) -> None:
    monkeypatch.setattr(component, "revision", component.revision + 1)
    assert {overview.state for overview in generated.samples()} == {"stale"}
    result = generated.generate(GenerateOptions(count=8, workers=1))
    assert {category.n_made for category in result.categories} == {8}


def test_a_library_that_computes_the_same_makes_the_same_bytes(
    generated: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = generated.root / "categories" / "circle" / "samples"
    before = {path.name: path.read_bytes() for path in folder.glob("sample_*")}
    monkeypatch.setattr(Augmentation, "versions", classmethod(lambda cls: {"engine": "99"}))
    assert {overview.state for overview in generated.samples()} == {"stale"}
    generated.generate(GenerateOptions(codes=("circle",), count=8, workers=1))
    assert {path.name: path.read_bytes() for path in folder.glob("sample_*")} == before
