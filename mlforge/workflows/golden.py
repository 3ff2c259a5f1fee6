"""Golden examples: a few that travel with an artifact, and what it says of them.

An artifact whose bytes are right may still predict something else on another machine: because of
another decoder, another OpenCV, another ONNX Runtime. Replaying its golden examples finds out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlforge.core.digest import digest_bytes
from mlforge.errors import ArtifactError, SampleError
from mlforge.modalities import Modality
from mlforge.storage.artifacts import StoredArtifact
from mlforge.storage.files import read_bytes
from mlforge.workflows.dataset import Dataset
from mlforge.workflows.predict import Predictor

__all__ = ["GOLDEN_FILE", "Replay", "golden_difference", "golden_files", "replay"]

GOLDEN_FILE = "golden.json"
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
    """Predict an artifact's golden examples again.

    Raises
    ------
    ArtifactError
        If it says something else than it did, or what it should say is not told.
    ConfigError
        If it needs a component that is not installed.
    """
    predictor = Predictor(artifact)
    if GOLDEN_FILE not in artifact.files:
        return Replay(0, 0.0)
    where = f"{artifact.version}/{GOLDEN_FILE}"
    try:
        golden = json.loads(artifact.files[GOLDEN_FILE])
        entries = list(golden["examples"])[:_MAX_EXAMPLES]
        blobs = [artifact.files[entry["file"]] for entry in entries]
        expected = np.array([entry["probabilities"] for entry in entries], np.float64)
        tolerance = min(float(golden["tolerance"]), TOLERANCE)
        features, probabilities = _said(predictor, blobs)
        difference = float(np.abs(probabilities - expected).max())
    # Its digests are right, and yet somebody else may have written it.
    except (KeyError, RecursionError, SampleError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{where}: does not describe examples", "mlforge train --force"
        ) from error
    if not difference <= tolerance:
        raise _different(artifact, entries, features, difference)
    return Replay(len(entries), difference)


def golden_difference(first: StoredArtifact, second: StoredArtifact) -> float | None:
    """Return the largest difference of a probability between two artifacts of equal categories.

    None where `first`, whose golden examples are used, has none.
    """
    if GOLDEN_FILE not in first.files:
        return None
    entries = json.loads(first.files[GOLDEN_FILE])["examples"]
    blobs = [first.files[entry["file"]] for entry in entries]
    rows = [_said(Predictor(artifact), blobs)[1] for artifact in (first, second)]
    return float(np.abs(rows[0] - rows[1]).max())


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
            blobs[f"golden-{len(blobs) + 1}.{modality.formats[0]}"] = data
    return blobs


def _said(
    predictor: Predictor, blobs: Sequence[bytes]
) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Return the digest of the features of each example, and its probabilities."""
    examples = [predictor.modality.decode(data) for data in blobs]
    parts = [extractor.extract(examples) for extractor in predictor.extractors]
    features = np.hstack(parts).astype("<f4")
    return [digest_bytes(row.tobytes()) for row in features], predictor.probabilities(examples)


def _different(
    artifact: StoredArtifact,
    entries: Sequence[Mapping[str, Any]],
    features: Sequence[str],
    difference: float,
) -> ArtifactError:
    same = all(entry.get("features") == own for entry, own in zip(entries, features, strict=True))
    where = "its graph gives other results" if same else "its features come out otherwise"
    made = artifact.manifest.get("versions")
    names = ("numpy", "opencv", "pillow", "onnxruntime")
    libraries = made if isinstance(made, dict) else {}
    listed = ", ".join(f"{name} {libraries[name]}" for name in names if name in libraries)
    return ArtifactError(
        f"{artifact.version}: it does not predict here what it did where it was made: "
        f"{where} (off by {difference:.2g})",
        f"it was made with {listed or 'other libraries'}; install those, or train again",
    )
