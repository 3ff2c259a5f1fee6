"""Golden examples: a few that travel with an artifact, and what it says of them.

An artifact whose bytes are right may still predict something else on another machine: because of
another decoder, another OpenCV, another ONNX Runtime. Replaying its golden examples finds out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlforge.core.digest import digest_bytes
from mlforge.errors import ArtifactError, SampleError
from mlforge.extractors import activation_maps
from mlforge.modalities import Modality
from mlforge.storage.artifact_manifest import AGAIN
from mlforge.storage.artifacts import StoredArtifact
from mlforge.storage.files import read_bytes
from mlforge.workflows.dataset import Dataset
from mlforge.workflows.predict import Predictor

__all__ = ["GOLDEN_FILE", "GOLDEN_PREFIX", "Replay", "golden_difference", "golden_files", "replay"]

GOLDEN_PREFIX = "golden"
"""What the names of all files of golden examples begin with."""
GOLDEN_FILE = f"{GOLDEN_PREFIX}.json"
TOLERANCE = 1e-4
"""The largest difference of a probability that is taken for the same."""
_MAX_EXAMPLES = 8
_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Replay:
    """What replaying an artifact's golden examples says.

    Attributes
    ----------
    n_examples
        How many it has.
    difference
        The largest difference of a probability from the one it had when it was made.
    """

    n_examples: int
    difference: float


def golden_files(
    dataset: Dataset, modality: Modality, artifact: StoredArtifact
) -> dict[str, bytes]:
    """Return golden examples of an artifact that is being made, with what it says of them.

    Parameters
    ----------
    dataset
        What it was trained on: one example of each category is taken, eight and 1 MiB at most.
    modality
        Encodes them without loss.
    artifact
        The artifact, without golden examples.
    """
    blobs = _blobs(dataset, modality)
    if not blobs:
        return {}
    predictor = Predictor(artifact)
    features, probabilities = _said(predictor, list(blobs.values()))
    entries = [
        {"file": name, "features": digest, "probabilities": row.tolist()}
        for name, digest, row in zip(blobs, features, probabilities, strict=True)
    ]
    text = json.dumps({"tolerance": TOLERANCE, "examples": entries}, indent=1)
    return {GOLDEN_FILE: text.encode(), **blobs}


def replay(artifact: StoredArtifact) -> Replay:
    """Predict an artifact's golden examples again, and look where the first one is found.

    Without golden examples its graph is run once, on features of 0.

    Raises
    ------
    ArtifactError
        If it says something else than it did, or what it should say is not told.
    ConfigError
        If it needs a component that is not installed.
    """
    predictor = Predictor(artifact)
    if GOLDEN_FILE not in artifact.files:
        # Nothing to compare with, but it must run, and come to an end.
        predictor.from_features(np.zeros((1, artifact.manifest["n_features"]), np.float32))
        return Replay(0, 0.0)
    golden = _golden(artifact)
    features, probabilities = _said(predictor, golden.blobs)
    difference = float(np.abs(probabilities - golden.probabilities).max())
    if not difference <= golden.tolerance:
        raise _different(artifact, difference, same_features=features == golden.features)
    activation_maps(predictor.extractors, predictor.decode(golden.blobs[0], GOLDEN_FILE), 0)
    return Replay(len(golden.blobs), difference)


def golden_difference(first: StoredArtifact, second: StoredArtifact) -> float | None:
    """Return the largest difference of a probability between two artifacts of equal categories.

    None where `first`, whose golden examples are used, has none.

    Raises
    ------
    ArtifactError
        If they are not described as they should be.
    """
    if GOLDEN_FILE not in first.files:
        return None
    blobs = _golden(first).blobs
    rows = [_said(Predictor(artifact), blobs)[1] for artifact in (first, second)]
    return float(np.abs(rows[0] - rows[1]).max())


@dataclass(frozen=True)
class _Golden:
    """The golden examples of an artifact: files, digests of features, and probabilities."""

    blobs: list[bytes]
    features: list[str]
    probabilities: npt.NDArray[np.float64]
    tolerance: float


def _golden(artifact: StoredArtifact) -> _Golden:
    described = artifact.read_json(GOLDEN_FILE)
    try:
        entries = list(described["examples"])[:_MAX_EXAMPLES]
        golden = _Golden(
            [artifact.files[entry["file"]] for entry in entries],
            [entry.get("features") for entry in entries],
            _told(entries, len(artifact.manifest["categories"])),
            min(float(described["tolerance"]), TOLERANCE),
        )
    # Its digests are right, and yet somebody else may have written it.
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{artifact.version}/{GOLDEN_FILE}: does not describe examples", artifact.remedy
        ) from error
    return golden


def _told(entries: Sequence[Any], n_categories: int) -> npt.NDArray[np.float64]:
    """Return the probabilities of some examples, ``n_examples x n_categories``."""
    rows = np.array([entry["probabilities"] for entry in entries], np.float64)
    if not entries or rows.shape != (len(entries), n_categories):
        raise ValueError("not a probability of each category")
    return rows


def _blobs(dataset: Dataset, modality: Modality) -> dict[str, bytes]:
    """Return the first example of each category that fits, encoded without loss."""
    blobs: dict[str, bytes] = {}
    n_bytes = 0
    for number in range(min(len(dataset.codes), _MAX_EXAMPLES)):
        row = int(np.argmax(dataset.labels == number))
        example = modality.decode(read_bytes(dataset.files[row].path))
        data = modality.encode(example, modality.formats[0], "high")
        if n_bytes + len(data) <= _MAX_BYTES:
            n_bytes += len(data)
            blobs[f"{GOLDEN_PREFIX}-{len(blobs) + 1}.{modality.formats[0]}"] = data
    return blobs


def _said(
    predictor: Predictor, blobs: Sequence[bytes]
) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Return the digest of the features of each example, and its probabilities."""
    try:
        examples = [predictor.modality.decode(data) for data in blobs]
    except SampleError as error:
        where = f"{predictor.version}: a golden example"
        raise ArtifactError(f"{where}: {error.message}", AGAIN) from error
    features = predictor.features(examples)
    digests = [digest_bytes(row.tobytes()) for row in features.astype("<f4")]
    return digests, predictor.from_features(features)


def _different(
    artifact: StoredArtifact, difference: float, *, same_features: bool
) -> ArtifactError:
    where = "its graph gives other results" if same_features else "its features come out otherwise"
    names = ("numpy", "opencv", "pillow", "onnxruntime")
    libraries = artifact.manifest["versions"]
    listed = ", ".join(f"{name} {libraries[name]}" for name in names if name in libraries)
    return ArtifactError(
        f"{artifact.version}: it does not predict here what it did where it was made: "
        f"{where} (off by {difference:.2g})",
        f"it was made with {listed or 'other libraries'}; install those, or train one here",
    )
