"""A contact sheet: each row a seed, or an input, and its samples with what made them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mlforge.core.names import printable
from mlforge.core.records import SampleRecord, Source
from mlforge.errors import ConfigError, DataError, SampleError
from mlforge.modalities import MODALITIES, Modality
from mlforge.storage.files import make_folder, read_bytes, real_path, write_bytes
from mlforge.storage.manifest import read_manifest
from mlforge.workflows.sample_plan import sources_of
from mlforge.workflows.sample_recipe import make_generator
from mlforge.workflows.workspace import Category, Workspace

__all__ = ["ContactSheet", "caption", "preview"]

Picture = npt.NDArray[np.uint8]

SIDE = 128
LINES = 3
CAPTION = 12 * LINES + 4
# Letters that go below a picture of that side, in the font and size of captions.
_WIDTH = 32
ROWS_PER_CATEGORY = 4
MAX_ROWS = 60
_INK = (60, 60, 60)


@dataclass(frozen=True)
class ContactSheet:
    """What a contact sheet shows.

    Attributes
    ----------
    n_rows
        How many seeds, or inputs, it shows with their samples.
    n_left_out
        How many more have samples.
    categories_left_out
        The categories of which it shows none.
    """

    n_rows: int
    n_left_out: int
    categories_left_out: tuple[str, ...]


def preview(workspace: Workspace, code: str | None, output: Path, columns: int) -> ContactSheet:
    """Write a contact sheet of one category's samples, or of the first seeds of every category.

    Parameters
    ----------
    columns
        Samples a row.

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
    where, hint = printable(str(output)), "--output sheet.png"
    workspace.layout.require_outside_categories(output, where, hint)
    rows: list[Picture] = []
    n_seeds, left_out = 0, []
    for category in workspace.select((code,) if code else ()):
        limit = MAX_ROWS if code else ROWS_PER_CATEGORY
        found = _sampled(workspace, category)
        n_seeds += len(found)
        shown = found[: min(limit, MAX_ROWS - len(rows))]
        rows += [_row(workspace, category, *one, columns) for one in shown]
        if found and not shown:
            left_out.append(category.code)
    if not rows:
        raise DataError("there are no samples to show", "mlforge samples generate")
    make_folder(real_path(output).parent)
    write_bytes(output, image.encode(np.vstack(rows), file_format, "high"))
    return ContactSheet(len(rows), n_seeds - len(rows), tuple(left_out))


def caption(record: SampleRecord, method: str) -> list[str]:
    """Return the lines under a sample: what made it, and how much more did.

    Techniques come first, since they are what a person chose; the generator's own steps are one
    word, its name.

    Examples
    --------
    >>> steps = ({"step": "sheet"}, {"step": "camera"}, {"technique": "rotation", "angle": 3.0})
    >>> caption(SampleRecord("sample_ab_0001.png", "ab", 1, "", 0, 1.0, steps), "synthetic")
    ['rotation synthetic']
    """
    names = [str(step["technique"]) for step in record.recipe if "technique" in step]
    if len(names) < len(record.recipe):
        names.append(method)
    names = names or ["untouched"]
    n_named = len(names)
    while n_named > 1 and len(_counted(names, n_named)) > LINES:
        n_named -= 1
    return _counted(names, n_named)


def _counted(names: Sequence[str], n_named: int) -> list[str]:
    """Return lines of the first names, and of how many more there are."""
    more = len(names) - n_named
    return _wrap([*names[:n_named], *([f"+{more}"] if more else [])])


def _sampled(
    workspace: Workspace, category: Category
) -> list[tuple[Source, Sequence[SampleRecord]]]:
    """Return each seed, or input, that has samples, and these; by name."""
    manifest = read_manifest(workspace.layout.samples(category.code))
    if manifest is None:
        return []
    by_seed: dict[str, list[SampleRecord]] = {}
    for record in manifest.samples:
        by_seed.setdefault(record.seed, []).append(record)
    sources = sources_of(category, make_generator(workspace, category), workspace.seeds(category))
    shown = sorted((s for s in sources if s.digest in by_seed), key=lambda source: source.name)
    return [(source, by_seed[source.digest]) for source in shown]


def _row(
    workspace: Workspace,
    category: Category,
    source: Source,
    records: Sequence[SampleRecord],
    columns: int,
) -> Picture:
    modality, code = workspace.modality, category.code
    folder = workspace.layout.samples(code)
    method = category.config.generation_settings.method
    if source.path is None:
        words = " / ".join(source.name.splitlines()).split()
        cells = [_captioned(np.full((SIDE, SIDE, 3), 255, np.uint8), [code, *_wrap(words)])]
    else:
        cells = [_cell(modality, source.path, [code, source.name])]
    for record in sorted(records, key=lambda record: record.copy)[:columns]:
        cells.append(_cell(modality, folder / record.file, caption(record, method)))
    blank = np.full_like(cells[0], 255)
    cells += [blank] * (columns + 1 - len(cells))
    return np.hstack(cells)


def _cell(modality: Modality, path: Path, lines: Sequence[str]) -> Picture:
    try:
        example = modality.decode(read_bytes(path))
    except SampleError as error:
        raise SampleError(f"{printable(str(path))}: {error.message}", error.hint) from None
    return _captioned(modality.thumbnail(example, SIDE), lines)


def _captioned(picture: Picture, lines: Sequence[str]) -> Picture:
    """Return a picture above its caption, ``SIDE + CAPTION + 4 x SIDE + 4 x 3``."""
    cell = np.full((SIDE + CAPTION + 4, SIDE + 4, 3), 255, np.uint8)
    cell[2 : SIDE + 2, 2 : SIDE + 2] = picture
    for number, line in enumerate(lines[:LINES]):
        # The built-in font has ASCII only; whatever else a file name holds becomes "?".
        text = printable(line).encode("ascii", "replace").decode()[:_WIDTH]
        position = (3, SIDE + 13 + 12 * number)
        cv2.putText(cell, text, position, cv2.FONT_HERSHEY_SIMPLEX, 0.3, _INK, 1, cv2.LINE_AA)
    return cell


def _wrap(names: Sequence[str]) -> list[str]:
    """Join names or words into lines of at most `_WIDTH` letters, longer ones by themselves."""
    lines: list[str] = []
    for name in names:
        if lines and len(lines[-1]) + 1 + len(name) <= _WIDTH:
            lines[-1] += f" {name}"
        else:
            lines.append(name)
    return lines
