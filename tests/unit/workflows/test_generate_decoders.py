"""Seeds that not every machine can decode: nothing is noted of them where it cannot be done."""

from __future__ import annotations

import io
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import PIL.features
import pytest
from PIL import Image as P

from mlforge import Project
from mlforge.errors import MissingDecoderError
from mlforge.storage.lock_file import read_lock
from mlforge.storage.manifest import read_manifest
from mlforge.workflows.generate import GeneratedCategory, GenerateOptions

AVIF_START = b"\0\0\0\x18ftypavif\0\0\0\0avifmif1" + bytes(100)


def heic(number: int) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    pixels = np.random.default_rng(number).integers(0, 255, (12, 16, 3), np.uint8)
    buffer = io.BytesIO()
    pillow_heif.from_pillow(P.fromarray(pixels).resize((64, 48))).save(buffer)
    return buffer.getvalue()


def seeded(folder: Path, **seeds: bytes) -> Project:
    project = Project.init(folder)
    project.add_category("cup")
    for name, data in seeds.items():
        (folder / "categories" / "cup" / "seeds" / f"{name}.jpg").write_bytes(data)
    return project


def generate(project: Project) -> GeneratedCategory:
    (category,) = project.generate(GenerateOptions(count=4, workers=1)).categories
    return category


def is_nothing_noted(project: Project) -> bool:
    manifest = read_manifest(project.root / "categories" / "cup" / "samples")
    lock = read_lock(project.root / "mlforge.lock")
    return not lock and (manifest is None or not manifest.records)


def test_without_the_extra_for_heic_the_run_stops_and_the_next_one_with_it_makes_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = seeded(tmp_path / "project", one=heic(1), two=heic(2))
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pillow_heif", None)
        with pytest.raises(MissingDecoderError, match=r"(one|two)\.jpg: .*pillow-heif<"):
            generate(project)
        assert is_nothing_noted(project)
    category = generate(project)
    assert (category.n_made, category.failures) == (4, ())
    assert all(found.ok for found in project.verify_samples(workers=1))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MissingDecoderError):
        project.verify_samples(workers=1)


def test_without_avif_in_pillow_the_run_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = seeded(tmp_path / "project", one=AVIF_START)
    monkeypatch.setattr(PIL.features, "check", lambda name: False)
    with pytest.raises(MissingDecoderError, match=r"one\.jpg: an AVIF picture"):
        generate(project)
    assert is_nothing_noted(project)


def test_the_lock_names_the_decoder_of_heic_where_a_seed_needs_it(tmp_path: Path) -> None:
    project = seeded(tmp_path / "project", one=heic(1))
    generate(project)
    versions = read_lock(project.root / "mlforge.lock")["cup"].versions
    assert versions["pillow-heif"] == metadata.version("pillow-heif")
    assert "pillow" in versions


def test_another_version_of_it_makes_the_samples_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = seeded(tmp_path / "project", one=heic(1))
    generate(project)
    version = metadata.version
    monkeypatch.setattr(
        metadata, "version", lambda name: "9.9" if name == "pillow-heif" else version(name)
    )
    assert generate(project).n_made == 4


def test_without_heic_among_the_seeds_the_extra_changes_no_lock(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = GenerateOptions(count=4, workers=1)
    project.generate(options)
    with_it = (project.root / "mlforge.lock").read_bytes()
    assert b"pillow-heif" not in with_it
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert project.generate(options).up_to_date
    assert (project.root / "mlforge.lock").read_bytes() == with_it
