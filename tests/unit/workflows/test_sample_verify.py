from __future__ import annotations

import base64
import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlforge import Project
from mlforge.core.digest import digest_bytes
from mlforge.errors import DataError
from mlforge.generators import Generator
from mlforge.generators.augmentation import Augmentation
from mlforge.modalities import MODALITIES
from mlforge.storage.lock_file import read_lock, update_lock
from mlforge.storage.manifest import read_manifest
from mlforge.workflows.generate import GenerateOptions
from mlforge.workflows.sample_verify import VerifiedCategory

Draw = Callable[[str, int], bytes]


def folder(project: Project, code: str = "circle") -> Path:
    return project.root / "categories" / code / "samples"


def circle(project: Project) -> VerifiedCategory:
    (found,) = project.verify_samples(("circle",), 1)
    return found


def sample(project: Project, number: int = 0) -> Path:
    return sorted(folder(project).glob("sample_*"))[number]


def everything(project: Project) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in project.root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("workers", [1, 2])
def test_samples_that_are_as_they_were_made_are_verified_and_nothing_is_written(
    generated: Project, workers: int
) -> None:
    before = everything(generated)
    found = generated.verify_samples(workers=workers)
    assert [(c.code, c.n_samples, c.n_verified, c.ok) for c in found] == [
        (code, 8, 8, True) for code in ("circle", "square", "triangle")
    ]
    assert everything(generated) == before


@pytest.mark.parametrize("form", ["picture", "base64", "link"])
def test_samples_of_a_service_are_verified_and_nothing_is_written(
    tmp_path: Path, service: Any, draw: Draw, form: str
) -> None:
    picture = draw("circle", 1)
    texts = {"base64": base64.b64encode(picture).decode(), "link": f"{service.url}/1.png"}

    def answer(handler: Any, asked: Any) -> None:
        is_picture = form == "picture" or asked.path == "/1.png"
        service.send(handler, picture if is_picture else json.dumps([texts[form]]).encode())

    service.answer = answer
    parameters = {"requests_per_second": 100} | ({} if form == "picture" else {"answer": "0"})
    cup = tmp_path / "categories" / "cup"
    cup.mkdir(parents=True)
    settings = {"method": "api", "api_endpoint": service.url, "parameters": parameters}
    config = {"category_name": "Cup", "category_code": "cup", "sample_inputs": ["red", "blue"]}
    (cup / "config.json").write_text(json.dumps(config | {"generation_settings": settings}))
    project = Project(tmp_path)
    project.generate(GenerateOptions(count=6, workers=1, allowed_hosts=("127.0.0.1",)))
    index = cup / "responses" / "index.jsonl"
    index.write_bytes(index.read_bytes() + b'{"request":')
    if form == "base64":
        # What was taken out of an answer is still in it.
        (cup / "responses" / digest_bytes(picture)).unlink()
    # Whoever takes the lock makes its file there.
    shutil.rmtree(project.workspace.layout.artifacts)
    before = everything(project)
    (found,) = project.verify_samples(workers=1)
    assert (found.n_verified, found.ok) == (6, True)
    assert everything(project) == before


def test_a_missing_file_is_named(generated: Project) -> None:
    sample(generated).unlink()
    found = circle(generated)
    assert found.missing == (sample_name(generated, 0),)
    assert (found.n_verified, found.changed, found.differs, found.ok) == (7, (), (), False)


def sample_name(project: Project, number: int) -> str:
    manifest = read_manifest(folder(project))
    assert manifest is not None
    return sorted(record.file for record in manifest.samples)[number]


def test_one_flipped_byte_is_found(generated: Project) -> None:
    for number, path in enumerate(sorted(folder(generated).glob("sample_*"))):
        data = path.read_bytes()
        place = number * len(data) // 8
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    found = circle(generated)
    assert found.n_verified == 0
    assert len(found.changed) == 8
    assert found.differs == ()


def test_a_link_is_no_sample(generated: Project, tmp_path: Path) -> None:
    path = sample(generated)
    (tmp_path / "elsewhere.png").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere.png")
    assert circle(generated).missing == (path.name,)


def test_a_file_and_manifest_that_agree_on_something_else_are_found_out(
    generated: Project,
) -> None:
    path = sample(generated)
    old, new = path.read_bytes(), sample(generated, 1).read_bytes()
    path.write_bytes(new)
    manifest = folder(generated) / "manifest.jsonl"
    manifest.write_text(
        manifest.read_text()
        .replace(digest_bytes(old), digest_bytes(new))
        .replace(f'"n_bytes":{len(old)}', f'"n_bytes":{len(new)}')
    )
    found = circle(generated)
    assert [failure.file for failure in found.differs] == [path.name]
    assert "same configuration, sources and library versions" in found.differs[0].reason
    assert found.problems == ("not what mlforge.lock says: its samples are others",)


def test_a_difference_by_a_librarys_version_says_so(
    generated: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Augmentation, "versions", classmethod(lambda cls: {"engine": "2"}))
    assert circle(generated).ok, "it makes the same samples"
    apply = Augmentation.apply_techniques
    monkeypatch.setattr(
        Augmentation,
        "apply_techniques",
        lambda self, example, rng: apply(self, 255 - example, rng),
    )
    found = circle(generated)
    assert len(found.differs) == 8
    assert {f.reason for f in found.differs} == {"another library version: engine none -> 2"}
    assert found.changed == ()


def test_a_file_of_nobody_is_listed(generated: Project) -> None:
    (folder(generated) / "sample_mine.png").write_bytes(b"x")
    (folder(generated) / "note.txt").write_text("not named like a sample")
    found = circle(generated)
    assert (found.unlisted, found.n_verified, found.ok) == (("sample_mine.png",), 8, False)


def test_another_configuration_is_a_problem_and_not_eight_differences(
    generated: Project,
) -> None:
    path = generated.root / "categories" / "circle" / "config.json"
    config = json.loads(path.read_text())
    config["augmentation_settings"]["techniques"] = ["rotation"]
    path.write_text(json.dumps(config))
    found = circle(generated)
    assert found.differs == ()
    assert found.problems[0].startswith("its samples were made with another configuration")
    assert "mlforge.lock" in found.problems[1]


def test_a_seed_that_is_gone_is_the_reason(generated: Project) -> None:
    (generated.root / "categories" / "circle" / "seeds" / "circle_0.png").unlink()
    found = circle(generated)
    assert {failure.reason for failure in found.differs} == {"its seed or input is gone"}
    assert len(found.differs) == 2
    assert "gone" in found.problems[0]


def test_a_lock_that_knows_nothing_or_something_else_is_a_problem(generated: Project) -> None:
    lock = generated.root / "mlforge.lock"
    known = read_lock(lock)
    other = dataclasses.replace(known["circle"], samples="0" * 64)
    update_lock(lock, {"circle": other}, list(known))
    assert circle(generated).problems == ("not what mlforge.lock says: its samples are others",)
    lock.unlink()
    assert circle(generated).problems == ("mlforge.lock says nothing of it",)


def test_samples_that_the_lock_knows_and_that_are_not_there_are_a_problem(
    generated: Project, project: Project
) -> None:
    generated.clean_samples()
    assert circle(generated).problems == ("there are no samples",)
    assert circle(project).ok, "none were ever made"


def test_a_line_of_the_manifest_that_was_changed_is_told(generated: Project) -> None:
    manifest = folder(generated) / "manifest.jsonl"
    head, first, *others = manifest.read_text().splitlines(keepends=True)
    for before, after in (('"quality":0', '"quality":1'), ('"technique":"', '"technique":"x')):
        manifest.write_text("".join([head, first.replace(before, after, 1), *others]))
        (differing,) = circle(generated).differs
        assert differing.reason == "its line in the manifest was changed"


def test_each_seed_is_decoded_once(generated: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []

    def decode(generator: Generator, data: bytes) -> Any:
        decoded.append(data)
        return MODALITIES.get("image")().decode(data)

    monkeypatch.setattr(Generator, "decode", decode)
    generated.generate(GenerateOptions(codes=("circle",), count=40, workers=1))
    assert len(decoded) == 4
    assert generated.verify_samples(("circle",), workers=1)[0].n_verified == 40
    assert len(decoded) == 8


def test_copies_that_are_not_in_a_row_are_verified_too(generated: Project) -> None:
    manifest = folder(generated) / "manifest.jsonl"
    generated.generate(GenerateOptions(codes=("circle",), count=20, workers=1))
    lines = manifest.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if b'"copy":3' not in line]
    manifest.write_bytes(b"".join(kept))
    found = circle(generated)
    assert (found.n_samples, found.n_verified, len(found.unlisted)) == (16, 16, 4)


def test_an_interrupted_run_is_a_problem(generated: Project) -> None:
    manifest = folder(generated) / "manifest.jsonl"
    lines = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join(lines[:-1]))
    found = circle(generated)
    assert found.problems[0] == "making its samples was interrupted at 7 of 8"
    assert len(found.unlisted) == 1


def test_samples_that_could_not_be_made_are_verified_too(project: Project) -> None:
    path = project.root / "categories" / "circle" / "config.json"
    config = json.loads(path.read_text())
    config["quality_thresholds"]["min_quality"] = 0.65
    path.write_text(json.dumps(config))
    project.generate(GenerateOptions(("circle",), 40, workers=1))
    found = circle(project)
    assert 0 < found.n_samples < 40
    assert found.n_verified == found.n_samples
    assert found.ok


def test_a_sample_is_explained_by_its_seed_and_recipe(generated: Project) -> None:
    path = sample(generated)
    why = generated.explain_sample(path)
    manifest = read_manifest(folder(generated))
    assert manifest is not None
    record = next(record for record in manifest.samples if record.file == path.name)
    assert why.recipe == record.recipe
    assert why.source is not None
    assert digest_bytes((generated.root / why.source).read_bytes()) == why.source_digest
    assert (why.code, why.copy, why.digest) == ("circle", record.copy, record.digest)
    assert (why.state, why.up_to_date) == ("as made", True)
    assert generated.explain_sample(Path(path.name)) == why


def test_a_changed_or_missing_sample_is_explained_as_such(generated: Project) -> None:
    path = sample(generated)
    path.write_bytes(b"x")
    assert generated.explain_sample(path).state == "changed"
    path.unlink()
    assert generated.explain_sample(path).state == "missing"


def test_a_sample_whose_seed_is_gone_is_still_explained(generated: Project) -> None:
    (generated.root / "categories" / "circle" / "seeds" / "circle_0.png").unlink()
    found = [generated.explain_sample(sample(generated, number)) for number in range(8)]
    gone = [why for why in found if why.source is None]
    assert len(gone) == 2
    assert not any(why.up_to_date for why in gone)


def test_a_file_that_no_manifest_names_is_refused(generated: Project, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    name = sample(generated).name
    for file in (Path("sample_x.png"), tmp_path / name, tmp_path / "loop" / name):
        with pytest.raises(DataError, match="no manifest"):
            generated.explain_sample(file)
