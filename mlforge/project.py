"""The Python interface: a project does what the commands do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlforge.core.names import PRODUCTION
from mlforge.core.reporting import Reporter, SilentReporter
from mlforge.storage.layout import find_root

if TYPE_CHECKING:
    from mlforge.core.records import Prediction
    from mlforge.evaluation.records import DeepEvaluation
    from mlforge.storage.aliases import Alias
    from mlforge.storage.artifacts import ArtifactStore
    from mlforge.workflows.batch import BatchOptions, BatchSummary
    from mlforge.workflows.categories import AddedCategory, CategoryOverview, NewCategory
    from mlforge.workflows.check import Finding
    from mlforge.workflows.compare import ModelComparison
    from mlforge.workflows.evaluate import FolderEvaluation
    from mlforge.workflows.explain import Explainer
    from mlforge.workflows.generate import GenerateOptions, GenerateResult
    from mlforge.workflows.init import InitOptions
    from mlforge.workflows.predict import Predictor
    from mlforge.workflows.preview import ContactSheet
    from mlforge.workflows.registry import Imported, Prune, VersionCheck
    from mlforge.workflows.report import WrittenReport
    from mlforge.workflows.reproduce import Reproduction
    from mlforge.workflows.sample_verify import VerifiedCategory
    from mlforge.workflows.samples import CleanedSamples, ExplainedSample, SamplesOverview
    from mlforge.workflows.train import TrainOptions, TrainResult
    from mlforge.workflows.trained import TrainedModel
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

        return list_categories(self.workspace, self.reporter)

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

    def preview(self, output: Path, code: str | None = None, columns: int = 8) -> ContactSheet:
        """Write a contact sheet: a row for each seed, or input; return what it shows."""
        from mlforge.workflows.preview import preview

        return preview(self.workspace, code, output, columns)

    def verify_samples(
        self, codes: Sequence[str] = (), workers: int | None = None
    ) -> list[VerifiedCategory]:
        """Make samples again in memory and compare them with files, manifest and lock."""
        from mlforge.workflows.sample_verify import verify

        return verify(self.workspace, tuple(codes), workers, self.reporter)

    def explain_sample(self, file: Path) -> ExplainedSample:
        """Return where a sample comes from."""
        from mlforge.workflows.samples import explain_sample

        return explain_sample(self.workspace, file)

    def clean_samples(self, codes: Sequence[str] = ()) -> list[CleanedSamples]:
        """Remove samples; they can be made again, byte for byte."""
        from mlforge.workflows.samples import clean_samples

        return clean_samples(self.workspace, tuple(codes))

    def train(self, options: TrainOptions | None = None) -> TrainResult:
        """Train models and store an artifact of each."""
        from mlforge.workflows.train import TrainOptions, train

        return train(self.workspace, options or TrainOptions(), self.reporter)

    def evaluate(self, folder: Path, version: str | None = None) -> FolderEvaluation:
        """Score a model on class folders with examples that it never saw."""
        from mlforge.workflows.evaluate import evaluate_folder

        return evaluate_folder(self.workspace, folder, version, self.reporter)

    def evaluate_deep(self, version: str | None = None) -> DeepEvaluation:
        """Compute the costly diagnostics of a model, those that are not there yet."""
        from mlforge.workflows.deep import evaluate_deep

        return evaluate_deep(self.workspace, version, self.reporter)

    def models(self) -> list[TrainedModel]:
        """Return what is known of each stored model, the best of the newest `train` first."""
        from mlforge.workflows.trained import stored_models

        return stored_models(self.workspace, self.reporter)

    def promote(self, version: str, alias: str = PRODUCTION) -> Alias:
        """Let an alias name a version, once that has proved to be sound."""
        from mlforge.workflows.registry import promote

        return promote(self.workspace, version, alias)

    def rollback(self, alias: str = PRODUCTION) -> Alias:
        """Let an alias name what it named before."""
        from mlforge.workflows.registry import rollback

        return rollback(self.workspace, alias)

    def verify_models(self, version: str | None = None) -> list[VersionCheck]:
        """Check a version, or all: digests, graphs, parameters, golden examples."""
        from mlforge.workflows.registry import verify_models

        return verify_models(self.workspace, version)

    def remove_model(self, version: str, *, force: bool = False) -> tuple[str, ...]:
        """Remove a version that no alias names; with `force`, and return, the aliases as well."""
        from mlforge.workflows.registry import remove_model

        return remove_model(self.workspace, version, force=force)

    def require_unnamed(self, version: str) -> None:
        """Raise `ConfigError` where an alias names a version."""
        from mlforge.workflows.registry import require_unnamed

        require_unnamed(self.workspace, version)

    def plan_prune(self, keep: int) -> Prune:
        """Return what `prune_models` would remove."""
        from mlforge.workflows.registry import plan_prune

        return plan_prune(self.workspace, keep)

    def prune_models(self, keep: int) -> Prune:
        """Remove what no alias names, the newest `train` did not answer, and is not of the newest.

        Parameters
        ----------
        keep
            How many of the newest are kept.
        """
        from mlforge.workflows.registry import prune

        return prune(self.workspace, keep)

    def export_model(self, version: str, output: Path) -> str:
        """Write a version, or what an alias names, as one file; return which version it is."""
        from mlforge.workflows.registry import export_model

        return export_model(self.workspace, version, Path(output))

    def import_model(self, file: Path) -> Imported:
        """Take a model in that `export_model` wrote, once it has proved to be sound."""
        from mlforge.workflows.registry import import_model

        return import_model(self.workspace, Path(file))

    def reproduce(
        self, version: str, *, data: Path | None = None, workers: int | None = None
    ) -> Reproduction:
        """Train a model again from what its artifact says, and compare."""
        from mlforge.workflows.reproduce import reproduce

        chosen = self.artifacts.resolve(version)
        return reproduce(self.workspace, chosen, self.reporter, data=data, workers=workers)

    def report(self, version: str | None = None) -> WrittenReport:
        """Write one page of what is known of a model: that version, else the one `predict` uses."""
        from mlforge.workflows.report import report

        return report(self.workspace, version, self.reporter)

    def compare_models(self, first: str, second: str) -> ModelComparison:
        """Compare two models on the held-out seeds that both were scored on."""
        from mlforge.workflows.compare import compare_models

        return compare_models(self.workspace, first, second)

    def predictor(self, version: str | None = None) -> Predictor:
        """Load a model: the version named, else the best of the newest `train`."""
        from mlforge.workflows.predict import Predictor

        return Predictor.load(self.artifacts, version)

    def explainer(self, version: str | None = None) -> Explainer:
        """Load a model as `predictor` does, to explain what it predicts."""
        from mlforge.workflows.explain import Explainer

        return Explainer(self.predictor(version), self.workspace, self.reporter)

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
