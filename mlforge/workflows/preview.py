"""A contact sheet: each row a seed, or an input, and its samples with what made them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mlforge.core.names import printable
from mlforge.core.records import SampleRecord, Source
from mlforge.errors import ConfigError, DataError, SampleError
from mlforge.modalities import MODALITIES, Modality
from mlforge.storage.files import make_folder, read_bytes, write_bytes
from mlforge.storage.manifest import read_manifest
from mlforge.workflows.sample_plan import make_generator, sources_of
from mlforge.workflows.workspace import Category, Workspace

__all__ = ["preview"]

Picture = npt.NDArray[np.uint8]

SIDE = 128
CAPTION = 40
ROWS_PER_CATEGORY = 4
MAX_ROWS = 60
_INK = (60, 60, 60)


def preview(workspace: Workspace, code: str | None, output: Path, columns: int) -> int:
    """Write a contact sheet of one category's samples, or of the first seeds of every category.

    Parameters
    ----------
    columns
        Samples a row.

    Returns
    -------
    int
        The number of rows.

    Raises
    ------
    DataError
        If there are no samples.
    ConfigError
        If the output's name does not end in .png, .jpg or .webp or it lies among the categories,
        or `columns` is below 1.
    """
    image = MODALITIES.get("image")()
    file_format = output.suffix.lower().lstrip(".")
    if file_format not in image.formats:
        endings = " ".join(f".{name}" for name in image.formats)
        raise ConfigError(
            f"{printable(str(output))}: the name must end in one of {endings}",
            "--output sheet.png",
        )
    if columns < 1:
        raise ConfigError(f"--columns {columns}: at least 1")
    if output.resolve().is_relative_to(workspace.layout.categories.resolve()):
        raise ConfigError(
            f"{printable(str(output))}: lies among the categories, whose files are yours",
            "--output sheet.png",
        )
    rows: list[Picture] = []
    for category in workspace.select((code,) if code else ()):
        limit = MAX_ROWS if code else ROWS_PER_CATEGORY
        rows += _category_rows(workspace, category, limit, columns)
    if not rows:
        raise DataError("there are no samples to show", "mlforge samples generate")
    make_folder(output.resolve().parent)
    write_bytes(output, image.encode(np.vstack(rows[:MAX_ROWS]), file_format, "high"))
    return min(len(rows), MAX_ROWS)


def _category_rows(
    workspace: Workspace, category: Category, limit: int, columns: int
) -> list[Picture]:
    folder = workspace.layout.samples(category.code)
    manifest = read_manifest(folder)
    if manifest is None:
        return []
    by_seed: dict[str, list[SampleRecord]] = {}
    for record in manifest.samples:
        by_seed.setdefault(record.seed, []).append(record)
    sources = sources_of(category, make_generator(workspace, category), workspace.seeds(category))
    shown = sorted((s for s in sources if s.digest in by_seed), key=lambda source: source.name)
    return [
        _row(workspace.modality, category.code, source, folder, by_seed[source.digest], columns)
        for source in shown[:limit]
    ]


def _row(
    modality: Modality,
    code: str,
    source: Source,
    folder: Path,
    records: Sequence[SampleRecord],
    columns: int,
) -> Picture:
    if source.path is None:
        cells = [_captioned(np.full((SIDE, SIDE, 3), 255, np.uint8), [code, *_cut(source.name)])]
    else:
        cells = [_cell(modality, source.path, [code, source.name])]
    for record in sorted(records, key=lambda record: record.copy)[:columns]:
        names = [str(step.get("technique", step.get("step", ""))) for step in record.recipe]
        cells.append(_cell(modality, folder / record.file, _wrap(names or ["untouched"])))
    blank = np.full_like(cells[0], 255)
    cells += [blank] * (columns + 1 - len(cells))
    return np.hstack(cells)


def _cell(modality: Modality, path: Path, caption: Sequence[str]) -> Picture:
    try:
        example = modality.decode(read_bytes(path))
    except SampleError as error:
        raise SampleError(f"{printable(str(path))}: {error.message}", error.hint) from None
    return _captioned(modality.thumbnail(example, SIDE), caption)


def _captioned(picture: Picture, caption: Sequence[str]) -> Picture:
    """Return a picture above its caption, ``SIDE + CAPTION + 4 x SIDE + 4 x 3``."""
    cell = np.full((SIDE + CAPTION + 4, SIDE + 4, 3), 255, np.uint8)
    cell[2 : SIDE + 2, 2 : SIDE + 2] = picture
    for number, line in enumerate(caption[:3]):
        # The built-in font has ASCII only; whatever else a file name holds becomes "?".
        text = printable(line).encode("ascii", "replace").decode()[:24]
        position = (3, SIDE + 13 + 12 * number)
        cv2.putText(cell, text, position, cv2.FONT_HERSHEY_SIMPLEX, 0.3, _INK, 1, cv2.LINE_AA)
    return cell


def _cut(text: str, width: int = 24) -> list[str]:
    """Cut a text into lines of `width` characters."""
    return [text[start : start + width] for start in range(0, len(text), width)]


def _wrap(names: Sequence[str], width: int = 24) -> list[str]:
    """Join names into lines of at most `width` characters."""
    lines: list[str] = []
    for name in names:
        if lines and len(lines[-1]) + 1 + len(name) <= width:
            lines[-1] += f" {name}"
        else:
            lines.append(name)
    return lines
