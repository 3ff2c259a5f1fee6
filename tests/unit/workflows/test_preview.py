from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mlforge import Project
from mlforge.core.records import SampleRecord
from mlforge.errors import ConfigError, DataError, StorageError
from mlforge.workflows import preview
from mlforge.workflows.preview import CAPTION, LINES, SIDE, caption


def read(path: Path) -> npt.NDArray[np.uint8]:
    picture = cv2.imread(str(path))
    assert picture is not None
    return np.asarray(picture, np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".PNG"])
def test_a_sheet_has_a_row_a_seed_and_a_column_a_sample(
    generated: Project, tmp_path: Path, suffix: str
) -> None:
    sheet = tmp_path / "new" / f"sheet{suffix}"
    assert generated.preview(sheet, "triangle", columns=2).n_rows == 6
    assert read(sheet).shape == (6 * (SIDE + CAPTION + 4), 3 * (SIDE + 4), 3)


def test_without_a_code_each_category_shows_its_first_seeds(
    generated: Project, tmp_path: Path
) -> None:
    shown = generated.preview(tmp_path / "sheet.png")
    assert (shown.n_rows, shown.n_left_out, shown.categories_left_out) == (12, 3, ())
    assert read(tmp_path / "sheet.png").shape[1] == 9 * (SIDE + 4)


def test_the_first_column_shows_the_seeds(generated: Project, tmp_path: Path) -> None:
    generated.preview(tmp_path / "sheet.png", "circle", columns=1)
    sheet = read(tmp_path / "sheet.png")
    seeds = sorted((generated.root / "categories" / "circle" / "seeds").iterdir())
    for number, path in enumerate(seeds):
        top = number * (SIDE + CAPTION + 4) + 2
        cell = sheet[top : top + SIDE, 2 : SIDE + 2]
        seed = cv2.resize(read(path), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_allclose(cell.astype(int), seed.astype(int), atol=2)


def test_what_goes_onto_no_row_is_counted(
    generated: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "MAX_ROWS", 5)
    shown = generated.preview(tmp_path / "sheet.png")
    assert (shown.n_rows, shown.n_left_out) == (5, 10)
    assert shown.categories_left_out == ("triangle",)
    assert generated.preview(tmp_path / "sheet.png", "triangle").n_left_out == 1


NINE = (
    *("rotation", "scaling", "translation", "perspective", "brightness", "contrast"),
    *("shadow", "blur", "noise_addition"),
)


def made_by(*steps: dict[str, str]) -> list[str]:
    record = SampleRecord("sample_ab_0001.png", "ab", 1, "", 0, 1.0, steps)
    return caption(record, "synthetic")


def test_a_caption_names_all_of_nine_techniques() -> None:
    assert made_by(*[{"technique": name} for name in NINE]) == [
        "rotation scaling translation",
        "perspective brightness contrast",
        "shadow blur noise_addition",
    ]


def test_a_caption_names_techniques_before_the_generator_whose_steps_are_one_word() -> None:
    steps = [{"step": name} for name in ("text", "sheet", "view", "background", "light", "camera")]
    techniques = [{"technique": name} for name in NINE[-2:]]
    assert made_by(*steps) == ["synthetic"]
    assert made_by(*steps, *techniques) == ["blur noise_addition synthetic"]
    assert made_by() == ["untouched"]


def test_a_caption_says_how_much_more_there_is() -> None:
    lines = made_by(*[{"technique": f"a_rather_long_name_{n}"} for n in range(6)])
    assert lines == [*(f"a_rather_long_name_{n}" for n in range(2)), "a_rather_long_name_2 +3"]
    assert len(lines) == LINES
    assert len(made_by(*[{"technique": "x" * 40} for _ in range(9)])) == LINES


def test_the_same_samples_give_the_same_sheet(generated: Project, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        generated.preview(tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_without_samples_the_hint_is_to_make_some(project: Project, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        project.preview(tmp_path / "sheet.png")
    assert caught.value.hint == "mlforge samples generate"
    assert not (tmp_path / "sheet.png").exists()


@pytest.mark.parametrize("name", ["sheet.gif", "sheet", "sheet.png.txt"])
def test_an_output_of_another_kind_is_refused(
    generated: Project, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ConfigError, match=r"\.png \.jpg \.webp"):
        generated.preview(tmp_path / name)


@pytest.mark.parametrize("columns", [0, -1])
def test_a_sheet_has_at_least_one_column(generated: Project, tmp_path: Path, columns: int) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        generated.preview(tmp_path / "sheet.png", columns=columns)


@pytest.mark.parametrize("data", [None, b"words"])
def test_a_sample_that_is_gone_or_damaged_is_named(
    generated: Project, tmp_path: Path, data: bytes | None
) -> None:
    sample = min((generated.root / "categories" / "circle" / "samples").glob("sample_*"))
    sample.unlink() if data is None else sample.write_bytes(data)
    with pytest.raises(DataError, match=sample.name):
        generated.preview(tmp_path / "sheet.png")


def test_any_file_name_can_be_a_caption(generated: Project, tmp_path: Path) -> None:
    folder = generated.root / "categories" / "circle" / "seeds"
    (folder / "circle_0.png").rename(folder / "a\nb 日本 \x1b.png")
    assert generated.preview(tmp_path / "sheet.png", "circle").n_rows == 4


def test_a_sheet_is_not_written_among_the_categories(generated: Project) -> None:
    code = generated.workspace.layout.category_codes()[0]
    seed = next(generated.workspace.layout.seeds(code).iterdir())
    before = seed.read_bytes()

    with pytest.raises(ConfigError, match="among the categories"):
        generated.preview(seed.with_suffix(".png"))

    assert seed.read_bytes() == before


def test_an_output_through_a_link_to_itself_is_an_error_of_the_disk(
    generated: Project, tmp_path: Path
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(StorageError, match="loop"):
        generated.preview(tmp_path / "loop" / "x.png")
