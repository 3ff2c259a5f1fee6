"""Predicting: one artifact, one decode, one row of features, one graph.

This path is run in loops by shell scripts: it imports NumPy, OpenCV, Pillow and ONNX Runtime, and
nothing that trains.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlforge.core.arrays import array_from_bytes
from mlforge.core.names import printable
from mlforge.core.onnx_graph import OnnxGraph
from mlforge.core.records import Prediction
from mlforge.core.units import format_size
from mlforge.errors import ArtifactError, SampleError
from mlforge.evaluation.calibration import scale
from mlforge.evaluation.novelty import Novelty
from mlforge.evaluation.prediction_sets import prediction_set
from mlforge.extractors import EXTRACTORS, Extractor
from mlforge.modalities import MODALITIES, Modality
from mlforge.storage.artifacts import ArtifactStore, StoredArtifact
from mlforge.storage.files import file_errors, read_bytes

__all__ = ["MAX_BYTES", "Predictor"]

MAX_BYTES = 1_000_000_000
"""A file above this is not read: no example within the limits of decoding is larger."""


class Predictor:
    """A model that is ready to predict.

    Parameters
    ----------
    artifact
        The artifact.

    Attributes
    ----------
    version
        The artifact's version.
    codes
        The category codes in the order of the probabilities.
    modality
        The kind of data.
    unknown_threshold
        An example whose novelty is above this is unknown.

    Raises
    ------
    ArtifactError
        If the artifact cannot be used.
    ConfigError
        If it needs a component that is not installed.
    """

    def __init__(self, artifact: StoredArtifact) -> None:
        self.version = artifact.version
        try:
            self._restore(artifact)
        # Its digests are right, and yet somebody else may have written it.
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"{self.version}: its manifest does not describe a model", "mlforge train --force"
            ) from error

    def _restore(self, artifact: StoredArtifact) -> None:
        manifest = artifact.manifest
        self.modality = _modality(manifest["modality"], self.version)
        self.extractors = [_extractor(e, self.modality, artifact) for e in manifest["extractors"]]
        self.codes = tuple(category["code"] for category in manifest["categories"])
        self._names = [str(category["name"]) for category in manifest["categories"]]
        self._min_confidence = [float(c["min_confidence"]) for c in manifest["categories"]]
        n_features = sum(len(extractor.names()) for extractor in self.extractors)
        if n_features != manifest["n_features"]:
            raise ArtifactError(
                f"{self.version}: made for {manifest['n_features']} features, the extractors give "
                f"{n_features}",
                "mlforge train --force",
            )
        self._temperature = float(manifest["temperature"])
        if not self._temperature > 0:
            raise ValueError(f"temperature {self._temperature}")
        self._set_threshold = manifest.get("set_threshold")
        self._novelty, self.unknown_threshold = _unknown(manifest.get("unknown"), artifact)
        self._graph = OnnxGraph(artifact.files["model.onnx"], f"{self.version}/model.onnx")

    @classmethod
    def load(cls, store: ArtifactStore, version: str | None = None) -> Predictor:
        """Load a version, or where none is named the best of the newest `train`."""
        return cls(store.load(store.resolve(version)))

    def predict_file(self, path: Path) -> Prediction:
        """Predict one file.

        Raises
        ------
        SampleError
            If it is no file, larger than `MAX_BYTES`, or cannot be decoded.
        StorageError
            If it cannot be read.
        """
        return self.predict_example(self.decode_file(path), str(path))

    def predict_bytes(self, data: bytes, file: str) -> Prediction:
        """Predict a file's bytes; `file` is what messages and the prediction call it."""
        return self.predict_example(self.decode(data, file), file)

    def predict_example(self, example: Any, file: str) -> Prediction:
        """Predict a decoded example."""
        features = self.features([example])
        known = bool(self.novelty(features)[0] <= self.unknown_threshold)
        return self.prediction(self.from_features(features)[0], file, known=known)

    def decode_file(self, path: Path) -> Any:
        """Return a file's example; errors are those of `predict_file`."""
        with file_errors(path, "read"):
            n_bytes = path.stat().st_size if path.is_file() else None
        if n_bytes is None:
            what = "not a file" if path.exists() else "no such file"
            hint = f"mlforge batch {printable(str(path))} --output DIR" if path.is_dir() else ""
            raise SampleError(f"{printable(str(path))}: {'a folder' if hint else what}", hint)
        if n_bytes > MAX_BYTES:
            raise SampleError(
                f"{printable(str(path))}: {format_size(n_bytes)}; at most {format_size(MAX_BYTES)}"
            )
        return self.decode(read_bytes(path), str(path))

    def decode(self, data: bytes, file: str) -> Any:
        """Return the example in a file's bytes; `file` is what messages call it."""
        try:
            return self.modality.decode(data)
        except SampleError as error:
            raise SampleError(f"{printable(file)}: {error.message}", error.hint) from None

    def features(self, examples: Sequence[Any]) -> npt.NDArray[np.float32]:
        """Return the features of decoded examples, ``n_examples x n_features``."""
        return np.hstack([extractor.extract(examples) for extractor in self.extractors])

    def probabilities(self, examples: Sequence[Any]) -> npt.NDArray[np.float64]:
        """Return calibrated probabilities of decoded examples, ``n_examples x n_categories``."""
        return self.from_features(self.features(examples))

    def from_features(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return calibrated probabilities of rows of features, ``n_examples x n_categories``."""
        values = self._graph.run(features).astype(np.float64)
        if values.shape != (len(features), len(self.codes)):
            raise ArtifactError(
                f"{self.version}/model.onnx: gives {' x '.join(map(str, values.shape))} "
                f"probabilities for {len(features)} x {len(self.codes)}",
                "mlforge train --force",
            )
        return scale(values, self._temperature)

    def novelty(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return how unlike the training examples each row of features is; 0 if nothing tells."""
        if self._novelty is None:
            return np.zeros(len(features))
        return self._novelty.score(features)

    def prediction(
        self, probabilities: npt.NDArray[np.float64], file: str, *, known: bool
    ) -> Prediction:
        """Turn one row of probabilities into a prediction."""
        # Stable: of two equal probabilities the first category comes first, on every platform.
        order = np.argsort(-probabilities, kind="stable")
        top = int(order[0])
        # Rounded first: what is shown as 0.8 is reliable where 0.8 is asked for.
        confidence = round(float(probabilities[top]), 6)
        return Prediction(
            file=file,
            model=self.version,
            prediction=self.codes[top],
            category_name=self._names[top],
            confidence=confidence,
            reliable=known and confidence >= self._min_confidence[top],
            known=known,
            prediction_set=tuple(
                self.codes[i] for i in prediction_set(probabilities, self._set_threshold)
            ),
            all_probabilities={self.codes[i]: round(float(probabilities[i]), 6) for i in order},
            timestamp=dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )


def _unknown(
    described: dict[str, Any] | None, artifact: StoredArtifact
) -> tuple[Novelty | None, float]:
    """Return what tells unknown examples, and the score above which they are."""
    if described is None:
        return None, float("inf")
    files = described["state"].items()
    arrays = {name: array_from_bytes(artifact.files[file]) for name, file in files}
    return Novelty.restore(arrays), float(described["threshold"])


def _modality(described: dict[str, Any], version: str) -> Modality:
    component = MODALITIES.get(described["name"], where=version)
    return component(component.Config(**described["parameters"]))


def _extractor(
    described: dict[str, Any], modality: Modality, artifact: StoredArtifact
) -> Extractor:
    component = EXTRACTORS.get(described["name"], modality.name, artifact.version)
    if described["revision"] != component.revision:
        raise ArtifactError(
            f"{artifact.version}: made with revision {described['revision']} of "
            f"{component.name}; this is revision {component.revision}",
            "mlforge train --force",
        )
    config = component.Config(**_tuples(described["parameters"]))
    state = {name: artifact.files[file] for name, file in described["state"].items()}
    return component.restore(config, state)


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists where a configuration has tuples."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
