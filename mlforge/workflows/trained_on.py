"""What a stored model was trained on: files that are no evidence of how good it is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mlforge.core.records import Seed
from mlforge.evaluation.records import Evaluation
from mlforge.modalities import Modality
from mlforge.storage.manifest import read_outline
from mlforge.workflows.near_duplicates import Looks, find_near_duplicates
from mlforge.workflows.workspace import Workspace

__all__ = ["TrainingExamples", "training_examples"]


@dataclass(frozen=True)
class TrainingExamples:
    """What a model learned from, as far as that is known.

    Attributes
    ----------
    digests
        Of its seeds and samples.
    seeds
        Those of its seeds that the project still has.
    """

    digests: frozenset[str]
    seeds: tuple[Seed, ...]

    def why_seen(self, modality: Modality, files: Sequence[Seed], looks: Looks) -> list[str]:
        """Return of each file why it is no news to the model; an empty text where it is.

        Parameters
        ----------
        looks
            What the files and the seeds look like. A near-duplicate of a seed that is not among
            them is not found; an exact copy is.
        """
        near = find_near_duplicates(modality, [*self.seeds, *files], looks)
        clusters = near.cluster.tolist()
        learned = set(clusters[: len(self.seeds)])
        return [
            "the model was trained on it"
            if file.digest in self.digests
            else "a near-duplicate of what the model was trained on"
            if cluster in learned
            else ""
            for file, cluster in zip(files, clusters[len(self.seeds) :], strict=True)
        ]


def training_examples(
    workspace: Workspace, codes: Collection[str], evaluation: Evaluation | None
) -> TrainingExamples:
    """Return what a model was trained on.

    Seeds that were scored stand in its evaluation. For the seeds of a category that could not be
    scored, and for all samples, those stand that the project has now.

    Parameters
    ----------
    codes
        The model's categories.
    evaluation
        What was measured when it was trained.
    """
    scored = evaluation.seeds if evaluation else ()
    told, digests = {seed.code for seed in scored}, {seed.digest for seed in scored}
    seeds: list[Seed] = []
    for code in workspace.layout.category_codes():
        if code not in codes:
            continue
        own = workspace.seeds(workspace.category(code)).seeds
        seeds += [seed for seed in own if seed.digest in digests or code not in told]
        outline = read_outline(workspace.layout.samples(code))
        digests |= {sample.digest for sample in outline.samples} if outline else set()
    return TrainingExamples(frozenset(digests | {seed.digest for seed in seeds}), tuple(seeds))
