from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlforge import Project
from mlforge.errors import ConfigError, DataError
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
    finding = only(balanced, "imbalance")
    assert finding.severity == "warning"
    assert "triangle has 26" in finding.message


def test_the_same_file_in_two_categories_is_an_error(balanced: Project) -> None:
    picture = seeds_of(balanced, "circle") / "circle_1.png"
    (seeds_of(balanced, "square") / "wrong.png").write_bytes(picture.read_bytes())
    finding = only(balanced, "shared")
    assert (finding.severity, finding.category) == ("error", "")
    assert finding.files == ("circle/circle_1.png", "square/wrong.png")


def test_errors_come_first(project: Project) -> None:
    project.add_category("zebra")
    severities = [finding.severity for finding in project.check()]
    assert severities == sorted(severities)
    assert set(severities) == {"error", "warning"}


def test_checking_changes_nothing_on_disk(project: Project) -> None:
    (seeds_of(project, "circle") / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    before = {path: path.stat().st_mtime_ns for path in project.root.rglob("*")}
    assert project.check()
    assert {path: path.stat().st_mtime_ns for path in project.root.rglob("*")} == before


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
