from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

from mlforge import Project
from mlforge.errors import ConfigError, DataError
from mlforge.modalities.image import Image
from mlforge.workflows.categories import NewCategory
from mlforge.workflows.check import Finding

Draw = Callable[[str, int], bytes]


def configure(project: Project, code: str, **values: Any) -> None:
    path = project.root / "categories" / code / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def seeds_of(project: Project, code: str) -> Path:
    return project.root / "categories" / code / "seeds"


def found(project: Project, kind: str, *codes: str) -> list[Finding]:
    return [finding for finding in project.check(codes) if finding.kind == kind]


def only(project: Project, kind: str) -> Finding:
    (finding,) = found(project, kind)
    assert finding.message
    assert finding.fix
    return finding


def save_smaller(source: Path, target: Path) -> None:
    picture = cv2.imread(str(source))
    assert picture is not None
    smaller = cv2.resize(picture, (36, 36), interpolation=cv2.INTER_AREA)
    assert cv2.imwrite(str(target), smaller)


def cut_a_little(source: Path, target: Path) -> None:
    picture = cv2.imread(str(source))
    assert picture is not None
    assert cv2.imwrite(str(target), picture[:, 1:])


def blur(project: Project, code: str, name: str) -> None:
    path = str(seeds_of(project, code) / name)
    picture = cv2.imread(path)
    assert picture is not None
    assert cv2.imwrite(path, cv2.GaussianBlur(picture, (0, 0), 2.5))


@pytest.fixture
def balanced(project: Project, draw: Draw) -> Project:
    (seeds_of(project, "circle") / "more.png").write_bytes(draw("circle", 30))
    return project


def test_a_sound_project_has_no_findings(balanced: Project) -> None:
    assert balanced.check() == []


def test_a_broken_configuration_is_an_error_and_the_rest_is_still_looked_at(
    balanced: Project,
) -> None:
    (balanced.root / "categories" / "circle" / "config.json").write_text("{")
    (seeds_of(balanced, "square") / "notes.txt").write_text("words")
    finding = only(balanced, "config")
    assert (finding.severity, finding.category) == ("error", "circle")
    assert found(balanced, "refused")
    assert found(balanced, "config", "circle") == [finding]


def test_a_wrong_technique_is_an_error(balanced: Project) -> None:
    configure(balanced, "circle", augmentation_settings={"techniques": ["rotaton"]})
    finding = only(balanced, "config")
    assert (finding.severity, finding.category) == ("error", "circle")
    assert "did you mean 'rotation'?" in finding.fix


def test_a_key_without_effect_is_a_warning(balanced: Project) -> None:
    configure(balanced, "square", target=1.0)
    finding = only(balanced, "no_effect")
    assert (finding.severity, finding.category) == ("warning", "square")
    assert "target" in finding.message


@pytest.mark.parametrize(("name", "data"), [("notes.txt", b"words"), ("folder.png", None)])
def test_a_file_that_cannot_be_a_seed_is_an_error(
    balanced: Project, name: str, data: bytes | None
) -> None:
    path = seeds_of(balanced, "circle") / name
    path.mkdir() if data is None else path.write_bytes(data)
    finding = only(balanced, "refused")
    assert (finding.severity, finding.category, finding.files) == ("error", "circle", (name,))


def test_a_seed_above_the_size_limit_is_an_error(balanced: Project) -> None:
    configure(balanced, "circle", quality_thresholds={"max_file_size": 10})
    findings = found(balanced, "refused")
    assert len(findings) == 5
    assert all("above max_file_size 10 B" in finding.message for finding in findings)
    assert only(balanced, "no_seeds").category == "circle"


def test_the_same_seed_twice_is_a_warning(balanced: Project) -> None:
    folder = seeds_of(balanced, "circle")
    (folder / "twin.png").write_bytes((folder / "circle_0.png").read_bytes())
    finding = only(balanced, "duplicate")
    assert (finding.severity, finding.files) == ("warning", ("twin.png",))
    assert "circle_0.png" in finding.message


def test_a_seed_that_cannot_be_decoded_is_an_error(balanced: Project, draw: Draw) -> None:
    (seeds_of(balanced, "square") / "torn.png").write_bytes(draw("square", 60)[:-100])
    finding = only(balanced, "unreadable")
    assert (finding.severity, finding.category, finding.files) == (
        "error",
        "square",
        ("torn.png",),
    )


def test_a_file_name_is_shown_and_not_sent(balanced: Project) -> None:
    (seeds_of(balanced, "circle") / "a\x1b[31m\n.txt").write_text("words")
    assert only(balanced, "refused").message.startswith("a\\x1b[31m\\x0a.txt: ")


def test_no_seeds_is_an_error_and_few_are_a_warning(project: Project) -> None:
    project.add_category("empty")
    nothing, few = only(project, "no_seeds"), only(project, "few_seeds")
    assert (nothing.severity, nothing.category) == ("error", "empty")
    assert nothing.fix == "mlforge categories add empty FILES..."
    assert (few.severity, few.category) == ("warning", "circle")
    assert "only 4 seeds" in few.message


def test_one_group_is_a_warning(balanced: Project) -> None:
    configure(balanced, "square", group_pattern="{group}_*")
    finding = only(balanced, "one_group")
    assert (finding.severity, finding.category) == ("warning", "square")


def test_a_group_pattern_that_fits_nothing_is_a_warning(balanced: Project) -> None:
    configure(balanced, "square", group_pattern="{group}@*")
    finding = only(balanced, "group_pattern")
    assert (finding.severity, finding.category) == ("warning", "square")


def test_a_single_category_is_an_error(project: Project) -> None:
    for code in ("circle", "square"):
        project.remove_category(code)
    finding = only(project, "one_category")
    assert (finding.severity, finding.category) == ("error", "triangle")


def test_looking_at_one_of_several_says_nothing_of_the_others(balanced: Project) -> None:
    assert balanced.check(("circle",)) == []


def test_a_large_difference_in_numbers_is_a_warning(balanced: Project, draw: Draw) -> None:
    folder = seeds_of(balanced, "triangle")
    for number in range(20, 40):
        (folder / f"more_{number}.png").write_bytes(draw("triangle", number))
    findings = found(balanced, "imbalance")
    assert [(f.severity, f.category) for f in findings] == [
        ("warning", "circle"),
        ("warning", "square"),
    ]
    assert all("triangle has 26" in finding.message for finding in findings)


def test_the_same_file_in_two_categories_is_an_error(balanced: Project) -> None:
    picture = seeds_of(balanced, "circle") / "circle_1.png"
    (seeds_of(balanced, "square") / "wrong.png").write_bytes(picture.read_bytes())
    finding = only(balanced, "shared")
    assert (finding.severity, finding.category) == ("error", "")
    assert finding.files == ("circle/circle_1.png", "square/wrong.png")


@pytest.mark.parametrize("kind", ["shared", "near_shared", "alike"])
def test_a_chosen_category_is_compared_with_all(balanced: Project, kind: str) -> None:
    source = seeds_of(balanced, "circle") / "circle_1.png"
    target = seeds_of(balanced, "square") / "wrong.png"
    if kind == "shared":
        target.write_bytes(source.read_bytes())
    elif kind == "near_shared":
        save_smaller(source, target)
    else:
        cut_a_little(source, target)
    (everywhere,) = balanced.check()
    assert everywhere.kind == kind
    assert everywhere.files == ("circle/circle_1.png", "square/wrong.png")
    for code in ("circle", "square"):
        assert balanced.check((code,)) == [everywhere]
    assert balanced.check(("triangle",)) == []


def test_a_chosen_category_is_looked_at_though_another_is_broken(balanced: Project) -> None:
    (balanced.root / "categories" / "square" / "config.json").write_text("{")
    assert balanced.check(("circle",)) == []


def test_repeats_are_told_of_the_chosen_category_only(balanced: Project) -> None:
    folder = seeds_of(balanced, "square")
    save_smaller(folder / "square_1.png", folder / "again.png")
    assert balanced.check(("circle",)) == []


def test_errors_come_first(project: Project) -> None:
    project.add_category("zebra")
    severities = [finding.severity for finding in project.check()]
    assert severities == sorted(severities)
    assert set(severities) == {"error", "warning"}


def test_checking_writes_nothing_but_the_cache(project: Project) -> None:
    (seeds_of(project, "circle") / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")

    def times() -> dict[Path, int]:
        paths = [path for path in project.root.rglob("*") if path.name != "artifacts"]
        cache = project.workspace.layout.cache
        return {p: p.stat().st_mtime_ns for p in paths if not p.is_relative_to(cache)}

    before = times()
    assert project.check()
    assert times() == before


def test_checking_again_decodes_nothing_again(
    balanced: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    blur(balanced, "circle", "circle_0.png")
    findings = balanced.check()
    assert findings
    monkeypatch.setattr(Image, "decode", lambda self, data: pytest.fail("decoded again"))
    assert balanced.check() == findings


def test_a_picture_saved_anew_in_one_category_is_a_warning(balanced: Project) -> None:
    folder = seeds_of(balanced, "circle")
    save_smaller(folder / "circle_1.png", folder / "again.png")
    finding = only(balanced, "near_duplicate")
    assert (finding.severity, finding.category) == ("warning", "circle")
    assert finding.files == ("again.png", "circle_1.png")
    assert "one group" in finding.message


def test_a_picture_saved_anew_in_two_categories_is_an_error(balanced: Project) -> None:
    save_smaller(
        seeds_of(balanced, "circle") / "circle_1.png", seeds_of(balanced, "square") / "wrong.png"
    )
    finding = only(balanced, "near_shared")
    assert (finding.severity, finding.category) == ("error", "")
    assert finding.files == ("circle/circle_1.png", "square/wrong.png")
    assert not found(balanced, "near_duplicate")


def test_pictures_that_are_alike_and_not_certainly_the_same_are_a_warning(
    balanced: Project,
) -> None:
    source = seeds_of(balanced, "circle") / "circle_1.png"
    # Not a copy beyond doubt: it could be the next picture of the same film.
    cut_a_little(source, seeds_of(balanced, "square") / "shifted.png")
    finding = only(balanced, "alike")
    assert (finding.severity, finding.category) == ("warning", "")
    assert finding.files == ("circle/circle_1.png", "square/shifted.png")


def test_the_same_file_twice_is_not_a_near_duplicate_as_well(balanced: Project) -> None:
    picture = seeds_of(balanced, "circle") / "circle_1.png"
    (seeds_of(balanced, "square") / "wrong.png").write_bytes(picture.read_bytes())
    assert not found(balanced, "near_shared")
    assert not found(balanced, "near_duplicate")


def test_a_category_of_one_picture_saved_many_times_is_one_group(balanced: Project) -> None:
    folder = seeds_of(balanced, "circle")
    first, *others = sorted(folder.iterdir())
    for number, path in enumerate(others):
        picture = cv2.imread(str(first))
        assert picture is not None
        cv2.imwrite(str(path), cv2.convertScaleAbs(picture, beta=number + 1))
    assert only(balanced, "one_group").category == "circle"


def test_a_picture_that_stands_out_is_a_warning_that_names_it(balanced: Project) -> None:
    blur(balanced, "triangle", "triangle_2.png")
    finding = only(balanced, "blurred")
    assert (finding.severity, finding.category, finding.files) == (
        "warning",
        "triangle",
        ("triangle_2.png",),
    )


def test_a_category_that_needs_no_seeds_is_asked_for_what_it_needs(balanced: Project) -> None:
    code = "made"
    balanced.add_category(code, (), NewCategory(method="api"))
    settings = {"method": "api", "api_endpoint": "https://example.org/draw"}
    configure(balanced, code, generation_settings=settings)
    finding = only(balanced, "no_inputs")
    assert (finding.severity, finding.category) == ("error", code)
    assert "sample_inputs" in finding.fix
    assert not found(balanced, "no_seeds")
    configure(balanced, code, sample_inputs=["a red cup"])
    assert balanced.check() == []


def test_an_unknown_code_is_refused(project: Project) -> None:
    with pytest.raises(ConfigError, match="there is no category 'cup'"):
        project.check(("circle", "cup"))


def test_a_project_without_categories_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no categories"):
        Project.init(tmp_path / "new").check()


def test_a_broken_configuration_does_not_make_the_other_the_only_category(project: Project) -> None:
    first, *others = project.workspace.layout.category_codes()
    for code in others[1:]:
        project.remove_category(code)
    project.workspace.layout.config(first).write_text("{", encoding="utf-8")

    kinds = {finding.kind for finding in project.check()}

    assert "config" in kinds
    assert "one_category" not in kinds


def test_a_folder_without_a_configuration_is_an_error(project: Project) -> None:
    code = project.workspace.layout.category_codes()[0]
    project.workspace.layout.config(code).unlink()

    found = [finding for finding in project.check() if finding.kind == "no_config"]

    assert [(finding.severity, finding.files) for finding in found] == [("error", (code,))]
