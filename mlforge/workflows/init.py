"""Making a project."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlforge.core.category import SCHEMA_FILE, config_schema
from mlforge.core.names import printable
from mlforge.core.reporting import Reporter
from mlforge.core.settings import settings_template
from mlforge.errors import ConfigError
from mlforge.examples import EXAMPLES, ExampleCategory, example_categories
from mlforge.modalities import MODALITIES
from mlforge.storage.files import (
    TEMPORARY_PREFIX,
    make_folder,
    move,
    remove_folder,
    remove_tree,
    write_bytes,
    write_json,
    write_text,
)
from mlforge.storage.layout import Layout, find_root

__all__ = ["InitOptions", "init"]

_UNSEEN = "unseen"
"""Where pictures of an example that are no seeds go."""
_REMADE = ("/artifacts/", "/categories/*/samples/")
"""What can be made again, and belongs under no version control."""


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
        If `root` is a project already or holds what would be written, or modality or example is
        unknown; nothing is written then.
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
    with suppress(ConfigError):
        outer = find_root(root.absolute().parent)
        reporter.warn(
            f"{printable(str(root))}: lies in the project {printable(str(outer))}; commands typed "
            "in here are about the inner one"
        )
    if example is not None and (root / _UNSEEN).exists():
        raise ConfigError(
            f"{printable(str(root / _UNSEEN))}: is there already",
            "move it away, or choose another folder",
        )
    n_categories = 0 if example is None else EXAMPLES[example].n_categories
    # Elsewhere first: what is interrupted leaves no project that is half there.
    staged = Layout(root / f"{TEMPORARY_PREFIX}init")
    remove_tree(staged.root)
    make_folder(staged.categories)
    write_text(staged.categories / SCHEMA_FILE, config_schema())
    with reporter.progress("making the example", n_categories) as advance:
        for category in categories:
            _write_category(staged, category)
            advance()
    make_folder(layout.artifacts)
    for made in sorted(staged.root.iterdir()):
        move(made, root / made.name)
    remove_folder(staged.root)
    if (root / ".gitignore").exists():
        reporter.warn(
            f".gitignore was there and is left as it is; add to it: {' and '.join(_REMADE)}"
        )
    else:
        write_text(root / ".gitignore", "".join(f"{line}\n" for line in _REMADE))
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
    unseen = layout.root / _UNSEEN / category.code
    make_folder(unseen)
    for file in category.held_out:
        write_bytes(unseen / file.name, file.data)
