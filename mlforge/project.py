"""The Python interface: a project does what the commands do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlforge.core.reporting import Reporter, SilentReporter
from mlforge.storage.layout import find_root

if TYPE_CHECKING:
    from mlforge.core.records import Prediction
    from mlforge.storage.artifacts import ArtifactStore
    from mlforge.workflows.batch import BatchOptions, BatchSummary
    from mlforge.workflows.categories import AddedCategory, CategoryOverview, NewCategory
    from mlforge.workflows.check import Finding
    from mlforge.workflows.generate import GenerateOptions, GenerateResult
    from mlforge.workflows.init import InitOptions
    from mlforge.workflows.predict import Predictor
    from mlforge.workflows.samples import CleanedSamples, SamplesOverview
    from mlforge.workflows.train import TrainedModel, TrainOptions, TrainResult
    from mlforge.workflows.workspace import Workspace

__all__ = ["Project"]


class Project:
    """A folder with ``mlforge.toml``, ``categories/`` and ``artifacts/``.

    Parameters
    ----------
    root
        The project's folder; see `open` to find it from a folder inside.
    reporter
        Takes warnings and progress; by default nobody does.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = Path(tempfile.mkdtemp()) / "digits"
    >>> project = Project.init(folder, example="digits")
    >>> [category.code for category in project.categories()][:2]
    ['eight', 'five']
    """

    def __init__(self, root: Path, reporter: Reporter | None = None) -> None:
        self.root = Path(root)
        self.reporter: Reporter = reporter if reporter is not None else SilentReporter()

    @classmethod
    def open(cls, path: Path | str = ".", reporter: Reporter | None = None) -> Project:
        """Open the nearest project from `path` upward.

        Raises
        ------
        ConfigError
            If there is none.
        """
        return cls(find_root(Path(path)), reporter)

    @classmethod
    def init(
        cls,
        folder: Path | str,
        *,
        modality: str = "image",
        example: str | None = None,
        reporter: Reporter | None = None,
    ) -> Project:
        """Make a project in `folder`, with the categories of an example if one is named.

        Raises
        ------
        ConfigError
            If `folder` is a project already, or modality or example is unknown.
        """
        from mlforge.workflows.init import InitOptions, init

        project = cls(Path(folder), reporter)
        options: InitOptions = InitOptions(modality=modality, example=example)
        init(project.root, options, project.reporter)
        return project

    @property
    def workspace(self) -> Workspace:
        """The project's settings, modality and categories, as they are now."""
        from mlforge.workflows.workspace import Workspace

        return Workspace(self.root)

    @cached_property
    def artifacts(self) -> ArtifactStore:
        """The project's artifacts."""
        from mlforge.storage.artifacts import ArtifactStore

        return ArtifactStore(self.root / "artifacts")

    def categories(self) -> list[CategoryOverview]:
        """Return an overview of each category."""
        from mlforge.workflows.categories import list_categories

        return list_categories(self.workspace)

    def add_category(
        self, code: str, files: Sequence[Path] = (), new: NewCategory | None = None
    ) -> AddedCategory:
        """Make a category, or add seeds to one that exists."""
        from mlforge.workflows.categories import NewCategory, add_category

        return add_category(self.workspace, code, files, new or NewCategory(), self.reporter)

    def import_categories(
        self, folder: Path, new: NewCategory | None = None
    ) -> list[AddedCategory]:
        """Make a category of each class folder in `folder`."""
        from mlforge.workflows.categories import NewCategory, import_categories

        return import_categories(self.workspace, folder, new or NewCategory(), self.reporter)

    def category_config(self, code: str) -> dict[str, Any]:
        """Return a category's configuration with every default filled in."""
        return self.workspace.category(code).config.to_json()

    def check(self, codes: Sequence[str] = ()) -> list[Finding]:
        """Look through configurations and seeds for what is wrong or worth knowing."""
        from mlforge.workflows.check import check

        return check(self.workspace, tuple(codes), self.reporter)

    def remove_category(self, code: str) -> Path:
        """Take a category out of the project; its folder is kept where the result says."""
        from mlforge.workflows.categories import remove_category

        return remove_category(self.workspace, code)

    def generate(self, options: GenerateOptions | None = None) -> GenerateResult:
        """Make the samples that are missing."""
        from mlforge.workflows.generate import GenerateOptions, generate

        return generate(self.workspace, options or GenerateOptions(), self.reporter)

    def samples(self, codes: Sequence[str] = ()) -> list[SamplesOverview]:
        """Return an overview of each category's samples."""
        from mlforge.workflows.samples import list_samples

        return list_samples(self.workspace, tuple(codes))

    def preview(self, output: Path, code: str | None = None, columns: int = 8) -> int:
        """Write a contact sheet: each row a seed and its samples; return the number of rows."""
        from mlforge.workflows.preview import preview

        return preview(self.workspace, code, output, columns)

    def clean_samples(self, codes: Sequence[str] = ()) -> list[CleanedSamples]:
        """Remove samples; they can be made again, byte for byte."""
        from mlforge.workflows.samples import clean_samples

        return clean_samples(self.workspace, tuple(codes))

    def train(self, options: TrainOptions | None = None) -> TrainResult:
        """Train models and store an artifact of each."""
        from mlforge.workflows.train import TrainOptions, train

        return train(self.workspace, options or TrainOptions(), self.reporter)

    def models(self) -> list[TrainedModel]:
        """Return what is known of each stored model, the best of the newest `train` first."""
        from mlforge.workflows.train import stored_models

        return stored_models(self.workspace, self.reporter)

    def predictor(self, version: str | None = None) -> Predictor:
        """Load a model: the version named, else the best of the newest `train`."""
        from mlforge.workflows.predict import Predictor

        return Predictor.load(self.artifacts, version)

    def predict(self, files: Sequence[Path], version: str | None = None) -> Iterator[Prediction]:
        """Predict files, one after the other."""
        predictor = self.predictor(version)
        for path in files:
            yield predictor.predict_file(Path(path))

    def batch(
        self, folder: Path, output: Path, options: BatchOptions | None = None
    ) -> BatchSummary:
        """Predict every file below `folder` and write a table to `output`."""
        from mlforge.workflows.batch import BatchOptions, batch

        return batch(self.artifacts, folder, output, options or BatchOptions(), self.reporter)
