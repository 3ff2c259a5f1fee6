from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlforge import Project
from mlforge.core.digest import digest_bytes
from mlforge.core.records import SampleRecord
from mlforge.core.reporting import SilentReporter
from mlforge.errors import ConfigError, DataError, StorageError
from mlforge.storage.manifest import read_manifest
from mlforge.workflows import sample_worker
from mlforge.workflows.generate import GeneratedCategory, GenerateOptions, GenerateResult

Draw = Callable[[str, int], bytes]


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


def times(project: Project) -> dict[Path, int]:
    paths = [*project.root.glob("categories/*/samples/*"), project.root / "mlforge.lock"]
    return {path: path.stat().st_mtime_ns for path in paths}


def configure(project: Project, code: str, section: str, **values: Any) -> None:
    path = project.root / "categories" / code / "config.json"
    config = json.loads(path.read_text())
    if section:
        config[section] |= values
    else:
        config |= values
    path.write_text(json.dumps(config))


def add_seed(project: Project, code: str, name: str, data: bytes) -> Path:
    path = project.root / "categories" / code / "seeds" / name
    path.write_bytes(data)
    return path


def test_every_sample_stands_in_the_manifest_with_its_digest(generated: Project) -> None:
    for code in ("circle", "square", "triangle"):
        folder = samples_folder(generated, code)
        named = {record.file: record for record in records(generated, code)}
        assert {path.name for path in folder.iterdir()} == {*named, "manifest.jsonl"}
        for name, record in named.items():
            data = (folder / name).read_bytes()
            assert digest_bytes(data) == record.digest
            assert len(data) == record.n_bytes
            assert name == f"sample_{record.seed[:8]}_{record.copy:04d}.png"
            assert record.recipe


def test_without_a_count_twenty_samples_a_seed_are_made(project: Project) -> None:
    category = of(generate(project, codes=("circle",)), "circle")
    assert category.n_wanted == category.n_samples == category.n_made == 20 * category.n_seeds == 80


def test_a_count_is_shared_evenly_copy_by_copy(project: Project) -> None:
    result = generate(project, codes=("triangle",), count=14)
    per_seed = Counter(record.seed for record in records(project, "triangle"))
    assert sorted(per_seed.values()) == [2, 2, 2, 2, 3, 3]
    by_copy = Counter(record.copy for record in records(project, "triangle"))
    assert by_copy == {1: 6, 2: 6, 3: 2}
    assert of(result, "triangle").n_samples == 14


def test_samples_of_a_category_differ_from_each_other_and_from_their_seeds(
    generated: Project,
) -> None:
    digests = [record.digest for record in records(generated, "square")]
    assert len(set(digests)) == len(digests)
    assert not set(digests) & {record.seed for record in records(generated, "square")}


def test_surplus_samples_are_removed_and_the_rest_stays(generated: Project) -> None:
    before = contents(generated, "circle")
    result = generate(generated, codes=("circle",), count=3)
    after = contents(generated, "circle")
    category = of(result, "circle")
    assert (category.n_made, category.n_kept, category.n_removed) == (0, 3, 5)
    assert len(after) == 1 + 3
    kept = {name: data for name, data in after.items() if "manifest" not in name}
    assert kept.items() <= before.items()


def test_a_count_of_none_at_all_removes_every_sample(generated: Project) -> None:
    generate(generated, count=0)
    assert [path.name for path in samples_folder(generated, "circle").iterdir()] == [
        "manifest.jsonl"
    ]
    assert {overview.state for overview in generated.samples()} == {"complete"}


def test_more_samples_leave_those_there_are(generated: Project) -> None:
    before = contents(generated, "circle", "square", "triangle")
    result = generate(generated, count=11)
    after = contents(generated, "circle", "square", "triangle")
    assert {c.n_kept for c in result.categories} == {8}
    assert {c.n_made for c in result.categories} == {3}
    samples = {name: data for name, data in before.items() if "manifest" not in name}
    assert samples.items() <= after.items()


def test_adding_a_seed_changes_no_byte_of_another_seeds_samples(
    generated: Project, draw: Draw
) -> None:
    before = {record.file: record for record in records(generated, "circle")}
    added = digest_bytes(add_seed(generated, "circle", "new.png", draw("circle", 99)).read_bytes())
    generate(generated, count=10)
    after = {record.file: record for record in records(generated, "circle")}
    assert {record.seed for record in after.values()} - {r.seed for r in before.values()} == {added}
    for name, record in after.items():
        if record.seed != added:
            assert before.get(name) == record


def test_removing_a_seed_removes_its_samples(generated: Project) -> None:
    folder = generated.root / "categories" / "circle" / "seeds"
    gone = digest_bytes((folder / "circle_0.png").read_bytes())
    (folder / "circle_0.png").unlink()
    result = generate(generated, codes=("circle",), count=6)
    assert of(result, "circle").n_removed == 2
    assert of(result, "circle").n_made == 0
    assert gone not in {record.seed for record in records(generated, "circle")}
    assert not list(samples_folder(generated, "circle").glob(f"sample_{gone[:8]}*"))


def test_an_earlier_count_holds_where_none_is_given(generated: Project) -> None:
    before = contents(generated)
    result = generate(generated)
    assert {(c.n_wanted, c.count_from, c.n_made) for c in result.categories} == {(8, "earlier", 0)}
    assert contents(generated) == before


def test_an_earlier_count_outlives_cleaning_and_a_new_checkout(generated: Project) -> None:
    before = contents(generated)
    generated.clean_samples()
    result = generate(generated)
    assert {(c.n_wanted, c.count_from) for c in result.categories} == {(8, "earlier")}
    assert contents(generated) == before


def test_an_earlier_count_outlives_cleaning_also_where_it_is_what_the_default_was(
    project: Project, draw: Draw
) -> None:
    generate(project, codes=("circle",), count=80)
    assert of(generate(project, codes=("circle",)), "circle").n_made == 0
    project.clean_samples()
    add_seed(project, "circle", "new.png", draw("circle", 99))
    category = of(generate(project, codes=("circle",)), "circle")
    assert (category.n_wanted, category.count_from) == (80, "earlier")


def test_an_earlier_count_holds_for_a_run_that_was_interrupted(project: Project) -> None:
    generate(project, codes=("circle",), count=6)
    (samples_folder(project, "circle") / records(project, "circle")[0].file).unlink()
    (project.root / "mlforge.lock").unlink()
    category = of(generate(project, codes=("circle",)), "circle")
    assert (category.n_wanted, category.n_made, category.n_kept) == (6, 1, 5)


def test_twenty_a_seed_grows_with_the_seeds_where_nobody_asked_for_a_count(
    project: Project, draw: Draw
) -> None:
    generate(project, codes=("circle",))
    add_seed(project, "circle", "new.png", draw("circle", 99))
    category = of(generate(project, codes=("circle",)), "circle")
    assert (category.n_wanted, category.count_from, category.n_made) == (100, "default", 20)
    project.clean_samples()
    add_seed(project, "circle", "newer.png", draw("circle", 98))
    assert of(generate(project, codes=("circle",)), "circle").n_wanted == 120


def test_force_remakes_every_sample_to_the_same_bytes(generated: Project) -> None:
    before = contents(generated)
    result = generate(generated, count=8, force=True)
    assert {(c.n_made, c.n_kept, c.n_removed) for c in result.categories} == {(8, 0, 8)}
    assert contents(generated) == before


def test_samples_that_are_being_remade_stay_until_they_are_replaced(
    generated: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(generated)

    def stop(chunk: sample_worker.SampleChunk) -> sample_worker.MadeChunk:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mlforge.workflows.generate.make_chunk", stop)
        with pytest.raises(KeyboardInterrupt):
            generate(generated, force=True)
    assert contents(generated) == before
    assert {overview.state for overview in generated.samples()} == {"complete"}


def test_force_mends_a_file_that_was_damaged(generated: Project) -> None:
    before = contents(generated)
    sample = samples_folder(generated, "square") / records(generated, "square")[0].file
    sample.write_bytes(sample.read_bytes()[::-1])
    generate(generated, force=True)
    assert contents(generated) == before


def test_too_little_room_on_the_disk_is_said_before_anything_is_removed(
    generated: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(generated)
    usage = shutil.disk_usage(generated.root)._replace(free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(StorageError, match=r"30,000 samples of circle would take about .*free"):
        generate(generated, codes=("circle",), count=30_008)
    assert contents(generated) == before


def test_too_little_room_shows_with_the_first_samples_where_there_were_none(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Enough for so many files of one block each; these take three.
    usage = shutil.disk_usage(project.root)._replace(free=200 * 5000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(StorageError, match="samples of circle would take about"):
        generate(project, codes=("circle",), count=200)
    (overview,) = project.samples(("circle",))
    assert overview.state == "interrupted"
    assert 0 < overview.n_samples < 200


def test_a_count_beyond_any_disk_is_refused_at_once(project: Project) -> None:
    with pytest.raises(StorageError, match="would take about"):
        generate(project, count=10**12)
    assert not list(project.root.glob("categories/*/samples"))


def test_a_resumed_run_and_any_number_of_workers_give_the_same_bytes(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for workers in (1, 2, 4):
        project.generate(GenerateOptions(count=200, workers=workers))
        found.append(contents(project))
        project.clean_samples()
    n_done = 0

    def stop(chunk: sample_worker.SampleChunk) -> sample_worker.MadeChunk:
        nonlocal n_done
        n_done += 1
        if n_done > 5:
            raise KeyboardInterrupt
        return sample_worker.make_chunk(chunk)

    with monkeypatch.context() as patch:
        patch.setattr("mlforge.workflows.generate.make_chunk", stop)
        with pytest.raises(KeyboardInterrupt):
            generate(project, count=200)
    kept = sum(overview.n_samples for overview in project.samples())
    assert 0 < kept < 600
    result = project.generate(GenerateOptions(workers=2))
    assert sum(category.n_kept for category in result.categories) == kept
    found.append(contents(project))
    assert all(other == found[0] for other in found)


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(generated: Project) -> None:
    before, before_times = contents(generated), times(generated)
    everything = set(generated.root.rglob("*"))
    result = generate(generated, count=10, dry_run=True)
    assert result.dry_run
    assert {(c.n_made, c.n_kept, c.n_removed) for c in result.categories} == {(2, 8, 0)}
    assert not result.up_to_date
    assert contents(generated) == before
    assert times(generated) == before_times
    assert set(generated.root.rglob("*")) == everything


def test_a_dry_run_names_the_seeds_that_cannot_be_used(project: Project) -> None:
    add_seed(project, "circle", "notes.txt", b"notes")
    dry = of(generate(project, count=4, dry_run=True), "circle").failures
    assert [failure.file for failure in dry] == ["notes.txt"]
    assert of(generate(project, count=4), "circle").failures == dry


@pytest.mark.parametrize("workers", [2, 4])
def test_the_number_of_workers_changes_no_byte(
    generated: Project, project: Project, workers: int
) -> None:
    project.generate(GenerateOptions(count=8, workers=workers))
    assert contents(project) == contents(generated)


def test_a_second_run_touches_no_file(generated: Project) -> None:
    before = times(generated)
    result = generate(generated, count=8)
    assert result.up_to_date
    assert {(c.n_made, c.n_kept) for c in result.categories} == {(0, 8)}
    assert times(generated) == before


def test_a_deleted_sample_is_made_again(generated: Project) -> None:
    before = contents(generated)
    (samples_folder(generated, "square") / records(generated, "square")[3].file).unlink()
    assert of(generate(generated, count=8), "square").n_made == 1
    assert contents(generated) == before


def test_a_sample_of_another_size_is_made_again(generated: Project) -> None:
    before = contents(generated)
    (samples_folder(generated, "square") / records(generated, "square")[0].file).write_bytes(b"x")
    assert of(generate(generated, count=8), "square").n_made == 1
    assert contents(generated) == before


def test_a_link_in_the_place_of_a_sample_is_replaced_and_not_followed(
    generated: Project, tmp_path: Path
) -> None:
    before = contents(generated)
    sample = samples_folder(generated, "square") / records(generated, "square")[0].file
    elsewhere = tmp_path / "elsewhere.png"
    shutil.move(sample, elsewhere)
    sample.symlink_to(elsewhere)
    elsewhere.write_bytes(elsewhere.read_bytes()[::-1])
    outside = elsewhere.read_bytes()
    generate(generated, count=8)
    assert not sample.is_symlink()
    assert contents(generated) == before
    assert elsewhere.read_bytes() == outside


def test_strangers_files_among_the_samples_are_left_alone(generated: Project) -> None:
    note = samples_folder(generated, "circle") / "note.txt"
    note.write_text("mine")
    generate(generated, count=2, force=True)
    assert note.read_text() == "mine"


@pytest.mark.parametrize("damage", [b"", b"not json\n", b'{"schema": "other/9"}\n'])
def test_a_damaged_manifest_head_remakes_the_category(generated: Project, damage: bytes) -> None:
    before = contents(generated)
    (samples_folder(generated, "circle") / "manifest.jsonl").write_bytes(damage)
    assert of(generate(generated, count=8), "circle").n_made == 8
    assert contents(generated) == before


def test_a_category_without_seeds_stops_before_anything_is_made(project: Project) -> None:
    project.add_category("empty")
    with pytest.raises(DataError, match="'empty' has no seeds") as caught:
        generate(project)
    assert caught.value.hint == "mlforge categories add empty FILES..."
    assert not list(project.root.glob("categories/*/samples"))


def test_a_project_without_categories_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no categories") as caught:
        generate(Project.init(tmp_path / "new"))
    assert "mlforge categories add" in caught.value.hint


@pytest.mark.parametrize("options", [{"count": -1}, {"workers": 0}, {"codes": ("cirle",)}])
def test_wrong_options_are_refused(project: Project, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        generate(project, **options)


def test_a_seed_that_cannot_be_decoded_is_reported_and_the_others_are_used(
    project: Project,
) -> None:
    add_seed(project, "circle", "torn.png", b"\x89PNG\r\n\x1a\n torn")
    category = of(generate(project, codes=("circle",), count=10), "circle")
    assert (category.n_seeds, category.n_samples) == (5, 8)
    assert {failure.file for failure in category.failures} == {
        "torn.png (copy 1)",
        "torn.png (copy 2)",
    }


def test_a_seed_that_cannot_be_read_now_stops_the_run_and_is_not_noted_as_bad(
    project: Project, generated: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> bytes:
        raise StorageError(f"{path}: cannot read: Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(sample_worker, "read_bytes", fail)
        with pytest.raises(StorageError):
            generate(project, count=8)
    generate(project, count=8)
    assert contents(project) == contents(generated)


def test_seeds_with_like_digests_get_files_of_their_own(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = project.workspace
    folder = workspace.seeds(workspace.category("circle"))
    alike = tuple(replace(seed, digest="ab12cd34" + seed.digest[8:]) for seed in folder.seeds)
    monkeypatch.setattr(
        type(workspace), "seeds", lambda self, category: type(folder)(alike, (), ())
    )
    with pytest.raises(DataError, match="begin with the same"):
        generate(project, codes=("circle",), count=8)


def test_the_lock_is_small_and_does_not_depend_on_how_it_came_about(
    generated: Project, project: Project
) -> None:
    for code in ("triangle", "circle", "square"):
        generate(project, codes=(code,), count=8)
    lock = (project.root / "mlforge.lock").read_bytes()
    assert lock == (generated.root / "mlforge.lock").read_bytes()
    assert len(lock.splitlines()) < 40
    document = json.loads(lock)
    assert document["schema"] == "mlforge.lock/1"
    assert document["categories"]["circle"]["count"] == 8
    assert len(document["categories"]["circle"]["seeds"].split()) == 4


def test_generating_one_category_keeps_what_the_lock_says_of_others(generated: Project) -> None:
    lock = generated.root / "mlforge.lock"
    before = json.loads(lock.read_bytes())
    configure(generated, "circle", "augmentation_settings", techniques=[])
    generate(generated, codes=("circle",), count=4)
    after = json.loads(lock.read_bytes())
    for code in ("square", "triangle"):
        assert after["categories"][code] == before["categories"][code]
    assert after["categories"]["circle"] != before["categories"]["circle"]


def test_a_removed_category_leaves_the_lock_with_the_next_run(generated: Project) -> None:
    generated.remove_category("circle")
    generate(generated, count=8)
    assert set(json.loads((generated.root / "mlforge.lock").read_bytes())["categories"]) == {
        "square",
        "triangle",
    }


def test_the_lock_changes_when_samples_do(generated: Project) -> None:
    lock = generated.root / "mlforge.lock"
    before = lock.read_bytes()
    generate(generated, count=9)
    assert lock.read_bytes() != before
    generate(generated, count=8)
    assert lock.read_bytes() == before


def test_a_damaged_lock_stops_the_run_before_anything_is_made(generated: Project) -> None:
    lock = generated.root / "mlforge.lock"
    before = lock.read_bytes()
    samples = contents(generated, "circle")
    lock.write_bytes(b"<<<<<<< HEAD\n" + before)
    with pytest.raises(DataError, match=r"mlforge\.lock, line 1"):
        generate(generated, codes=("circle",), count=4)
    assert lock.read_bytes() == b"<<<<<<< HEAD\n" + before
    assert contents(generated, "circle") == samples
    lock.unlink()
    generate(generated, count=8)
    assert lock.read_bytes() == before


def test_samples_are_listed_with_their_size(generated: Project, project: Project) -> None:
    assert {(o.state, o.n_samples) for o in project.samples()} == {("none", 0)}
    for overview in generated.samples():
        assert (overview.state, overview.n_samples, overview.n_failed) == ("complete", 8, 0)
        files = samples_folder(generated, overview.code).glob("sample_*")
        assert overview.n_bytes == sum(path.stat().st_size for path in files)


def test_cleaned_samples_are_made_again_byte_for_byte(generated: Project) -> None:
    before = contents(generated)
    cleaned = generated.clean_samples(("circle",))
    assert [(c.code, c.n_samples) for c in cleaned] == [("circle", 8)]
    assert not samples_folder(generated, "circle").exists()
    assert len(list(samples_folder(generated, "square").iterdir())) == 9
    generate(generated, count=8)
    assert contents(generated) == before


def test_cleaning_leaves_what_mlforge_did_not_make(generated: Project) -> None:
    folder = samples_folder(generated, "circle")
    for name in ("mine.txt", "sample_mine.png"):
        (folder / name).write_bytes(b"mine")
    (folder / ".mlforge-tmp-1-1-0").write_bytes(b"half")
    circle, square, _ = generated.clean_samples()
    assert circle.n_samples == 8
    assert circle.left == tuple(
        f"categories/circle/samples/{name}" for name in ("mine.txt", "sample_mine.png")
    )
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == dict.fromkeys(
        ("mine.txt", "sample_mine.png"), b"mine"
    )
    assert square.left == ()
    assert not samples_folder(generated, "square").exists()
    assert generated.clean_samples(("circle",))[0].left == circle.left


def test_cleaning_removes_samples_also_after_a_damaged_line(generated: Project) -> None:
    manifest = samples_folder(generated, "circle") / "manifest.jsonl"
    lines = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join([b"?" + lines[0], *lines[1:]]))
    assert generated.clean_samples(("circle",))[0].n_samples == 8
    assert not manifest.parent.exists()


def test_generating_leaves_a_file_that_no_manifest_names(generated: Project) -> None:
    mine = samples_folder(generated, "circle") / "sample_mine.png"
    mine.write_bytes(b"mine")
    generate(generated, count=10)
    generate(generated, count=4, force=True)
    assert mine.read_bytes() == b"mine"


def test_a_foreign_file_where_a_sample_goes_is_moved_away_and_told(generated: Project) -> None:
    reporter = SilentReporter()
    project = Project(generated.root, reporter)
    whole = contents(project)
    name = next(r.file for r in records(project, "circle") if r.copy == 2)
    generate(project, count=4)
    taken = samples_folder(project, "circle") / name
    assert not taken.exists()
    taken.write_bytes(b"mine")
    generate(project, count=8)
    assert contents(project) == whole
    kept = project.root / "artifacts" / "removed" / "circle-samples" / name
    assert kept.read_bytes() == b"mine"
    (warning,) = reporter.warnings
    assert warning == (
        f"circle: {name}, which mlforge did not make, stood where samples go; "
        "moved to artifacts/removed/circle-samples"
    )


def test_what_an_interrupted_run_left_is_removed_whatever_comes_next(
    generated: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(generated)

    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        # After the files of a chunk, before the manifest names them.
        patch.setattr("mlforge.workflows.generate.append_records", stop)
        with pytest.raises(KeyboardInterrupt):
            generate(generated, count=20)
    reporter = SilentReporter()
    generate(Project(generated.root, reporter), count=8)
    assert contents(generated) == before
    assert reporter.warnings == []
    assert not (generated.root / "artifacts" / "removed").exists()


def test_a_killed_removal_is_finished_by_the_next_run(
    generated: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mlforge.workflows.generate.remove_file", stop)
        with pytest.raises(KeyboardInterrupt):
            generate(generated, count=4)
    generate(generated, count=4)
    left = {path.name for path in samples_folder(generated, "circle").iterdir()}
    assert left == {"manifest.jsonl", *(r.file for r in records(generated, "circle"))}


def test_cleaning_leaves_seeds_and_configuration(generated: Project) -> None:
    folder = generated.root / "categories" / "circle"
    before = {path: path.read_bytes() for path in [*folder.glob("seeds/*"), folder / "config.json"]}
    generated.clean_samples()
    assert {path: path.read_bytes() for path in before} == before
    assert {path.name for path in folder.iterdir()} == {"seeds", "config.json"}


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("count", [10**15 + 1, 10**20])
def test_more_samples_than_can_be_made_are_refused(
    project: Project, count: int, dry_run: bool
) -> None:
    with pytest.raises(ConfigError, match="at most 1,000,000,000,000,000"):
        generate(project, count=count, dry_run=dry_run)
    assert not samples_folder(project, "circle").exists()


def test_a_seed_that_is_a_link_to_itself_is_refused(project: Project) -> None:
    seeds = project.root / "categories" / "circle" / "seeds"
    (seeds / "loop.png").symlink_to("loop.png")
    category = of(generate(project, count=4), "circle")
    assert [failure.file for failure in category.failures] == ["loop.png"]
    assert category.n_samples == 4


@pytest.mark.parametrize("name", ["Thumbs.db", "desktop.ini", "._a.png", ".DS_Store", "@eaDir"])
def test_what_systems_write_among_the_seeds_is_nobodys_fault(project: Project, name: str) -> None:
    before = project.check()
    (project.root / "categories" / "circle" / "seeds" / name).write_bytes(b"\0\5\x16\7")
    (project.root / "categories" / "__MACOSX").mkdir()
    assert project.check() == before
    assert not any(done.failures for done in project.generate(GenerateOptions(count=2)).categories)
