"""Where everything of a project lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlforge.core.names import check_code, printable
from mlforge.errors import ConfigError
from mlforge.storage.files import file_errors, real_path

__all__ = ["Layout", "find_root"]

SETTINGS_FILE = "mlforge.toml"
# What is below artifacts/.
_WRITTEN = ("models", "cache", "evaluations", "reports", "removed", "locked")


@dataclass(frozen=True)
class Layout:
    """The paths of a project.

    Attributes
    ----------
    root
        The project's folder.
    """

    root: Path

    @property
    def settings(self) -> Path:
        """``mlforge.toml``."""
        return self.root / SETTINGS_FILE

    @property
    def lock_file(self) -> Path:
        """``mlforge.lock``: what `samples generate` made."""
        return self.root / "mlforge.lock"

    @property
    def categories(self) -> Path:
        """The folder of categories."""
        return self.root / "categories"

    def require_outside_categories(self, output: Path, where: str, hint: str) -> None:
        """Raise `ConfigError` where `output` would be written among the categories."""
        if real_path(output).is_relative_to(real_path(self.categories)):
            raise ConfigError(f"{where}: lies among the categories, whose files are yours", hint)

    @property
    def artifacts(self) -> Path:
        """The folder of everything that training makes."""
        return self.root / "artifacts"

    @property
    def models(self) -> Path:
        """The folder of artifacts, one folder a version."""
        return self.artifacts / "models"

    @property
    def cache(self) -> Path:
        """The folder of cached features; disposable."""
        return self.artifacts / "cache"

    def refuse_links(self) -> None:
        """Raise where a folder that mlforge writes to is a link to a place outside of the project.

        Raises
        ------
        ConfigError
            If one is.
        """
        written = [self.artifacts / name for name in _WRITTEN]
        for folder in (self.categories, self.artifacts, *written):
            if folder.is_symlink() and not real_path(folder).is_relative_to(self.root.resolve()):
                raise ConfigError(
                    f"{folder.relative_to(self.root)}: a link to a place outside of the project",
                    "put the folder itself there",
                )

    def deep_evaluation(self, version: str) -> Path:
        """Return where the costly diagnostics of a version are kept."""
        return self.artifacts / "evaluations" / f"{version}.json"

    def report(self, version: str) -> Path:
        """Return where the report of a version is written."""
        return self.artifacts / "reports" / f"{version}.html"

    @property
    def removed(self) -> Path:
        """Where removed categories are kept."""
        return self.artifacts / "removed"

    def category(self, code: str) -> Path:
        """Return a category's folder; the code is checked, so it stays below `categories`."""
        return self.categories / check_code(code)

    def config(self, code: str) -> Path:
        """Return a category's ``config.json``."""
        return self.category(code) / "config.json"

    def seeds(self, code: str) -> Path:
        """Return a category's folder of seeds."""
        return self.category(code) / "seeds"

    def samples(self, code: str) -> Path:
        """Return a category's folder of samples."""
        return self.category(code) / "samples"

    def responses(self, code: str) -> Path:
        """Return a category's folder of what a service answered."""
        return self.category(code) / "responses"

    def staged_samples(self, code: str) -> Path:
        """Return where samples are made that must prove to be the locked ones before they stay."""
        return self.artifacts / "locked" / check_code(code)

    def category_codes(self) -> list[str]:
        """Return the codes of all categories: the folders that hold a ``config.json``, sorted."""
        if not self.categories.is_dir():
            return []
        return sorted(path.parent.name for path in self.categories.glob("*/config.json"))

    def lost_categories(self) -> list[str]:
        """Return the folders that hold seeds and no ``config.json``, sorted."""
        seeds = self.categories.glob("*/seeds") if self.categories.is_dir() else ()
        return sorted(p.parent.name for p in seeds if not (p.parent / "config.json").exists())


def find_root(start: Path) -> Path:
    """Return the nearest folder from `start` upward that is a project.

    Raises
    ------
    ConfigError
        If there is none, or a folder of it is a link to a place outside.
    """
    with file_errors(start, "open"):
        start = start.resolve()
        for folder in (start, *start.parents):
            if (folder / SETTINGS_FILE).is_file() or (folder / "categories").is_dir():
                Layout(folder).refuse_links()
                return folder
    raise ConfigError(
        f"{printable(str(start))}: no project here or in any folder above "
        f"(a project has {SETTINGS_FILE} or categories/)",
        "mlforge init",
    )
