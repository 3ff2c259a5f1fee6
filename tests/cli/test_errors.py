"""Every error is a message, a hint and an exit code, as text or as a document."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlforge import Project

Run = Callable[..., Any]


def _raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def test_an_error_goes_to_stderr_with_the_next_step(invoke: Run, tmp_path: Path) -> None:
    result = invoke("train", cwd=tmp_path)
    assert result.code == 2
    assert result.out == ""
    assert "no project here" in result.err
    assert "hint: mlforge init" in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("train",), 2),
        (("train", "--nonsense"), 2),
        (("nonsense",), 2),
        (("samples", "generate", "--count", "many"), 2),
        (("categories", "add"), 2),
        (("predict",), 2),
    ],
)
def test_an_error_under_json_is_one_document_on_stdout(
    arguments: tuple[str, ...], code: int, invoke: Run, tmp_path: Path
) -> None:
    result = invoke(*arguments, "--json", cwd=tmp_path)
    assert result.code == code
    assert result.err == ""
    assert result.document["schema"] == "mlforge.error/1"
    assert set(result.document) == {"schema", "message", "hint", "exit"}
    assert result.document["exit"] == code
    assert result.document["message"]
    assert result.document["hint"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("samples", "generate", "nosuch"), 2, "nosuch"),
        (("train", "--model", "random_forset"), 2, "did you mean 'random_forest'"),
        (("train", "--features", "hgo"), 2, "did you mean 'hog'"),
        (("train", "--param", "random_forest.trees=3"), 2, "trees: unknown key"),
        (("train", "--workers", "0"), 2, "--workers 0"),
        (("train", "--data", "nowhere"), 3, "nowhere"),
        (("categories", "add", "My Cup"), 2, "try 'my_cup'"),
        (("categories", "add", "cup", "--technique", "rotaton"), 2, "did you mean 'rotation'"),
        (("categories", "import", "nowhere"), 3, "nowhere"),
        (("predict", "x.png"), 5, "mlforge train"),
        (("batch", "categories", "--output", "out"), 5, "mlforge train"),
        (("samples", "preview", "--output", "x.png"), 3, "mlforge samples generate"),
    ],
)
def test_each_error_names_what_is_wrong_or_the_next_step(
    arguments: tuple[str, ...], code: int, said: str, invoke: Run, project: Project
) -> None:
    result = invoke(*arguments, cwd=project.root)
    assert result.code == code
    assert said in result.err


def test_a_named_project_must_be_one(invoke: Run, project: Project, tmp_path: Path) -> None:
    inside = project.root / "categories"
    assert invoke("categories", "list", "--project", inside).code == 2
    listed = invoke("categories", "list", "--project", project.root, cwd=tmp_path)
    assert listed.code == 0
    assert "circle" in listed.out


def test_a_bug_is_told_as_one_with_its_place(
    invoke: Run, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Project, "categories", _raising(KeyError("x")))
    result = invoke("categories", "list", cwd=project.root)
    assert result.code == 70
    assert "a bug in mlforge: KeyError: 'x' (cli/categories.py, line" in result.err
    assert "--debug" in result.err
    assert "Traceback" not in result.err
    assert "Traceback" in invoke("categories", "list", "--debug").err
    assert invoke("categories", "list", "--json").document["exit"] == 70


def test_an_operating_system_s_error_names_the_file(
    invoke: Run, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = PermissionError(errno.EACCES, "denied", "some/file")
    monkeypatch.setattr(Project, "categories", _raising(error))
    result = invoke("categories", "list", cwd=project.root)
    assert result.code == 3
    assert "some/file: Permission denied" in result.err


@pytest.mark.parametrize(("error", "code"), [(MemoryError(), 6), (KeyboardInterrupt(), 130)])
def test_other_ends_have_their_exit_code(
    error: BaseException,
    code: int,
    invoke: Run,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Project, "categories", _raising(error))
    result = invoke("categories", "list", cwd=project.root)
    assert result.code == code
    assert result.err.startswith("error: ")
    assert invoke("categories", "list", "--json").document["exit"] == code


def test_a_signal_behind_an_error_of_cleaning_up_is_what_is_told(
    invoke: Run, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Project) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise ValueError("cannot close while a handle is open")

    monkeypatch.setattr(Project, "categories", fail)
    result = invoke("categories", "list", cwd=project.root)
    assert result.code == 130
    assert "bug" not in result.err


def test_quiet_drops_warnings_but_neither_results_nor_errors(invoke: Run, project: Project) -> None:
    train = ("train", "--workers", "1", "--force")
    loud = invoke(*train, cwd=project.root)
    assert "warning: " in loud.err
    quiet = invoke(*train, "--quiet")
    assert quiet.err == ""
    assert "random_forest-0002" in quiet.out
    assert invoke("predict", "none.png", "--quiet").err.startswith("error: none.png")


def test_verbose_adds_log_lines(invoke: Run, project: Project) -> None:
    result = invoke(
        "samples", "generate", "--count", "2", "--workers", "1", "--verbose", cwd=project.root
    )
    assert "info: generating: 6 in " in result.err


@pytest.mark.filterwarnings("default")
def test_a_library_s_warning_is_a_log_line(
    invoke: Run, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    import warnings

    def warn(_: Project) -> list[object]:
        warnings.warn("something for programmers", RuntimeWarning, stacklevel=1)
        return []

    monkeypatch.setattr(Project, "categories", warn)
    assert invoke("categories", "list", cwd=project.root).err == ""
    assert "something for programmers" in invoke("categories", "list", "--verbose").err
