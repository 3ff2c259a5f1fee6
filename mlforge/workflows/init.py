"""Making a project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlforge.core.category import SCHEMA_FILE, config_schema
from mlforge.core.names import printable
from mlforge.core.reporting import Reporter
from mlforge.core.settings import settings_template
from mlforge.errors import ConfigError
from mlforge.examples import EXAMPLES, ExampleCategory, example_categories
from mlforge.modalities import MODALITIES
from mlforge.storage.files import make_folder, write_bytes, write_json, write_text
from mlforge.storage.layout import Layout

__all__ = ["InitOptions", "init"]


@dataclass(frozen=True)
class InitOptions:
    """What project to make.

    Attributes
    ----------
    modality
        The kind of data.
    example
        The example whose categories are written; none where None.
    """

    modality: str = "image"
    example: str | None = None


def init(root: Path, options: InitOptions, reporter: Reporter) -> None:
    """Make a project in `root`.

    Raises
    ------
    ConfigError
        If `root` is a project already, or modality or example is unknown; nothing is written then.
    """
    layout = Layout(root)
    MODALITIES.get(options.modality, where="--modality")
    example = options.example
    categories = iter(()) if example is None else example_categories(example)
    if layout.settings.exists() or layout.categories.exists():
        raise ConfigError(
            f"{printable(str(root))}: is a project already",
            "choose another folder, or use this one: mlforge categories list",
        )
    make_folder(layout.categories)
    make_folder(layout.artifacts)
    write_text(layout.categories / SCHEMA_FILE, config_schema())
    n_categories = 0 if example is None else EXAMPLES[example].n_categories
    with reporter.progress("making the example", n_categories) as advance:
        for category in categories:
            _write_category(layout, category)
            advance()
    if not (root / ".gitignore").exists():
        write_text(root / ".gitignore", "/artifacts/\n/categories/*/samples/\n")
    # Last: a folder is a project once its settings are there.
    write_text(layout.settings, settings_template(options.modality))


def _write_category(layout: Layout, category: ExampleCategory) -> None:
    seeds = layout.seeds(category.code)
    make_folder(seeds)
    for file in category.seeds:
        write_bytes(seeds / file.name, file.data)
    write_json(
        layout.config(category.code),
        {"$schema": f"../{SCHEMA_FILE}", **category.config.to_json()},
    )
    unseen = layout.root / "unseen" / category.code
    make_folder(unseen)
    for file in category.held_out:
        write_bytes(unseen / file.name, file.data)
