from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mlforge import Project
from mlforge.errors import ConfigError, DataError
from mlforge.workflows.preview import CAPTION, SIDE


def read(path: Path) -> npt.NDArray[np.uint8]:
    picture = cv2.imread(str(path))
    assert picture is not None
    return np.asarray(picture, np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".PNG"])
def test_a_sheet_has_a_row_a_seed_and_a_column_a_sample(
    generated: Project, tmp_path: Path, suffix: str
) -> None:
    sheet = tmp_path / "new" / f"sheet{suffix}"
    assert generated.preview(sheet, "triangle", columns=2) == 6
    assert read(sheet).shape == (6 * (SIDE + CAPTION + 4), 3 * (SIDE + 4), 3)


def test_without_a_code_each_category_shows_its_first_seeds(
    generated: Project, tmp_path: Path
) -> None:
    assert generated.preview(tmp_path / "sheet.png") == 12
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
    assert generated.preview(tmp_path / "sheet.png", "circle") == 4


def test_a_sheet_is_not_written_among_the_categories(generated: Project) -> None:
    code = generated.workspace.layout.category_codes()[0]
    seed = next(generated.workspace.layout.seeds(code).iterdir())
    before = seed.read_bytes()

    with pytest.raises(ConfigError, match="among the categories"):
        generated.preview(seed.with_suffix(".png"))

    assert seed.read_bytes() == before
