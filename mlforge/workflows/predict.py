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

from mlforge.core.names import printable
from mlforge.core.onnx_graph import OnnxGraph
from mlforge.core.records import Prediction
from mlforge.errors import ArtifactError, SampleError
from mlforge.evaluation.calibration import scale
from mlforge.extractors import EXTRACTORS, Extractor
from mlforge.modalities import MODALITIES, Modality
from mlforge.storage.artifacts import ArtifactStore, StoredArtifact
from mlforge.storage.files import read_bytes

__all__ = ["Predictor"]


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
            If it cannot be decoded.
        StorageError
            If it cannot be read.
        """
        if not path.is_file():
            raise SampleError(f"{printable(str(path))}: no such file")
        return self.predict_bytes(read_bytes(path), str(path))

    def predict_bytes(self, data: bytes, file: str) -> Prediction:
        """Predict a file's bytes; `file` is what messages and the prediction call it."""
        try:
            example = self.modality.decode(data)
        except SampleError as error:
            raise SampleError(f"{printable(file)}: {error.message}", error.hint) from None
        return self.prediction(self.probabilities([example])[0], file)

    def probabilities(self, examples: Sequence[Any]) -> npt.NDArray[np.float64]:
        """Return calibrated probabilities of decoded examples, ``n_examples x n_categories``."""
        features = np.hstack([extractor.extract(examples) for extractor in self.extractors])
        values = self._graph.run(features).astype(np.float64)
        if values.shape != (len(examples), len(self.codes)):
            raise ArtifactError(
                f"{self.version}/model.onnx: gives {' x '.join(map(str, values.shape))} "
                f"probabilities for {len(examples)} x {len(self.codes)}",
                "mlforge train --force",
            )
        return scale(values, self._temperature)

    def prediction(self, probabilities: npt.NDArray[np.float64], file: str) -> Prediction:
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
            reliable=confidence >= self._min_confidence[top],
            all_probabilities={self.codes[i]: round(float(probabilities[i]), 6) for i in order},
            timestamp=dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )


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
