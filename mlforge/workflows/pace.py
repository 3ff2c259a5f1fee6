"""A time budget for what is learned becomes its size and its steps, once, on this machine."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np

from mlforge.core.digest import digest_json
from mlforge.core.reporting import Reporter
from mlforge.core.strict_json import parse_json
from mlforge.engines.local import LocalEngine, available_processors
from mlforge.errors import ConfigError
from mlforge.extractors import Extractor, LearningExtractor
from mlforge.storage.files import make_folder, read_bytes, write_json
from mlforge.workflows.dataset import Dataset
from mlforge.workflows.feature_choice import learning_extractors
from mlforge.workflows.feature_source import feature_source
from mlforge.workflows.lessons import category_techniques, lesson_entries, technique_versions
from mlforge.workflows.provenance import processor
from mlforge.workflows.workspace import Workspace

__all__ = ["FEWEST_STEPS", "MOST_STEPS", "paced"]

FEWEST_STEPS = 30
MOST_STEPS = 20_000

_FILE = "steps.json"
_MAX_BYTES = 1_000_000
# Examples of so many files are enough to time a step with.
_N_FILES = 64


def paced(
    workspace: Workspace,
    extractors: Sequence[Extractor],
    dataset: Dataset,
    seconds: float | None,
    engine: LocalEngine,
    reporter: Reporter,
) -> list[Extractor]:
    """Return the extractors, those that learn set up so that a fit takes about so many seconds.

    A budget that has no time for enough steps is spent on a smaller size. What was measured is
    kept, so that the same budget means the same size and the same steps the next time.

    Raises
    ------
    ConfigError
        If there is a budget, and none of them learns.
    """
    if seconds is None:
        return list(extractors)
    if not any(isinstance(extractor, LearningExtractor) for extractor in extractors):
        options = [f"--features {other.name}" for other in learning_extractors(workspace.modality)]
        raise ConfigError(
            f"--budget {seconds:g}s: no features are learned, and nothing else takes a budget",
            f"add {' or '.join(options)}" if options else "leave --budget out",
        )

    def within_budget(extractor: LearningExtractor) -> Extractor:
        a_step = _seconds_a_step(workspace, extractor, dataset, engine, reporter)
        smaller = extractor.smaller()
        if smaller is not None and seconds < extractor.enough_steps * a_step:
            return within_budget(smaller)
        return extractor.with_steps(_steps(extractor.name, seconds, a_step, reporter))

    return [within_budget(e) if isinstance(e, LearningExtractor) else e for e in extractors]


def _steps(name: str, seconds: float, seconds_a_step: float, reporter: Reporter) -> int:
    """Return how many steps fit into so many seconds; warn where they have to be more or fewer."""
    wanted = seconds / seconds_a_step
    steps = int(min(max(wanted, FEWEST_STEPS), MOST_STEPS))
    if wanted < FEWEST_STEPS or wanted > MOST_STEPS:
        limit = "at least" if wanted < FEWEST_STEPS else "at most"
        reporter.warn(
            f"--budget {seconds:g}s: {name} takes {limit} {steps:,} steps, here about "
            f"{steps * seconds_a_step:.1f} s a fit"
        )
    return steps


def _seconds_a_step(
    workspace: Workspace,
    extractor: LearningExtractor,
    dataset: Dataset,
    engine: LocalEngine,
    reporter: Reporter,
) -> float:
    """Return how long a step takes while fits run side by side, as it was measured first.

    It is measured with a fit on each processor, whatever `engine` has of workers: their number must
    not decide what is learned.
    """
    techniques = category_techniques(dataset, workspace.modality)
    key = digest_json(
        {
            "extractor": [extractor.name, extractor.revision, extractor.parameters()],
            "versions": extractor.versions() | technique_versions(techniques),
            "lessons": lesson_entries(dataset, techniques),
            "machine": [processor(), available_processors(), extractor.device()],
        }
    )
    known = _known(workspace)
    if key not in known:
        rows = np.linspace(0, dataset.n_seeds - 1, min(_N_FILES, dataset.n_seeds)).astype(np.intp)
        few = dataset.only(rows)
        training = feature_source(workspace, [extractor], few, engine, reporter).training_set(
            extractor.name, np.arange(len(rows))
        )
        everywhere = LocalEngine()
        measured = everywhere.map_threads(
            lambda _: extractor.seconds_a_step(training), range(everywhere.workers)
        )
        known[key] = statistics.median(measured)
        make_folder(workspace.layout.cache)
        write_json(workspace.layout.cache / _FILE, known)
    return known[key]


def _known(workspace: Workspace) -> dict[str, float]:
    path = workspace.layout.cache / _FILE
    if not path.is_file():
        return {}
    try:
        values = parse_json(read_bytes(path), path.name, _MAX_BYTES)
        known = {str(key): float(seconds) for key, seconds in values.items()}
        return {key: seconds for key, seconds in known.items() if 0 < seconds < math.inf}
    # A cache that cannot be read is none.
    except (AttributeError, ConfigError, TypeError, ValueError):
        return {}
