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
_ROUNDING = 1e-3
"""How far from 1 probabilities may sum to: graphs add up hundreds of float32."""


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
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"{self.version}: its manifest does not describe a model", artifact.remedy
            ) from error

    def _restore(self, artifact: StoredArtifact) -> None:
        manifest = artifact.manifest
        self.modality = _modality(manifest["modality"], self.version)
        self.extractors = [_extractor(e, self.modality, artifact) for e in manifest["extractors"]]
        self.codes = tuple(category["code"] for category in manifest["categories"])
        self._names = [category["name"] for category in manifest["categories"]]
        self._min_confidence = [c["min_confidence"] for c in manifest["categories"]]
        n_features = sum(len(extractor.names()) for extractor in self.extractors)
        if n_features != manifest["n_features"]:
            raise ArtifactError(
                f"{self.version}: made for {manifest['n_features']} features, the extractors give "
                f"{n_features}",
                artifact.remedy,
            )
        self._temperature = manifest["temperature"]
        self._set_threshold = manifest.get("set_threshold")
        self._novelty, self.unknown_threshold = _unknown(artifact, n_features)
        self._graph = OnnxGraph(artifact.files["model.onnx"], f"{self.version}/model.onnx")
        self._remedy = artifact.remedy

    @classmethod
    def load(cls, store: ArtifactStore, version: str | None = None) -> Predictor:
        """Load a version, or where none is named the best of the newest `train`."""
        chosen = store.resolve(version)
        try:
            return cls(store.load(chosen))
        except ArtifactError as error:
            named = {alias.version for alias in store.aliases.read().values()}
            if chosen not in named:
                raise
            # Training again moves no alias.
            other = "or use another: mlforge models promote VERSION"
            raise ArtifactError(error.message, f"{error.hint}; {other}") from error

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
        return self.decode(self.read(path), str(path))

    def read(self, path: Path) -> bytes:
        """Return a file's bytes; errors are those of `predict_file`."""
        with file_errors(path, "read"):
            n_bytes = path.stat().st_size if path.is_file() else None
        if n_bytes is None:
            what = "not a file" if path.exists() else "no such file"
            hint = f"mlforge batch {printable(str(path))} --output DIR" if path.is_dir() else ""
            raise SampleError(f"{printable(str(path))}: {'a folder' if hint else what}", hint)
        _require_size(n_bytes, str(path))
        return read_bytes(path)

    def decode(self, data: bytes, file: str) -> Any:
        """Return the example in a file's bytes; `file` is what messages call it."""
        _require_size(len(data), file)
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
        """Return calibrated probabilities of rows of features, ``n_examples x n_categories``.

        Raises
        ------
        ArtifactError
            If the graph fails, or gives no probabilities of the categories.
        """
        values = self._graph.run(features)
        if values.shape != (len(features), len(self.codes)):
            raise self._unfit(
                f"{' x '.join(map(str, values.shape))} probabilities for {len(features)} x "
                f"{len(self.codes)}"
            )
        if values.dtype.kind != "f" or not _are_probabilities(values):
            raise self._unfit("no probabilities: numbers from 0 to 1 that sum to 1")
        return scale(values.astype(np.float64), self._temperature)

    def novelty(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return how unlike the training examples each row of features is; 0 if nothing tells."""
        if self._novelty is None:
            return np.zeros(len(features))
        return self._novelty.score(features)

    def _unfit(self, given: str) -> ArtifactError:
        return ArtifactError(f"{self.version}/model.onnx: gives {given}", self._remedy)

    def prediction(
        self, probabilities: npt.NDArray[np.float64], file: str, *, known: bool
    ) -> Prediction:
        """Turn one row of probabilities into a prediction."""
        # Stable: of two equal probabilities the first category comes first, on every platform.
        order = np.argsort(-probabilities, kind="stable")
        top = int(order[0])
        # Rounded first: what is shown as 0.8 is reliable where 0.8 is asked for.
        confidence = round(float(probabilities[top]), 6)
        # Where too few seeds were held out to tell what is unknown, a confidence is no evidence.
        measured = self._novelty is not None
        return Prediction(
            file=file,
            model=self.version,
            prediction=self.codes[top],
            category_name=self._names[top],
            confidence=confidence,
            reliable=measured and known and confidence >= self._min_confidence[top],
            known=known,
            prediction_set=tuple(
                self.codes[i] for i in prediction_set(probabilities, self._set_threshold)
            ),
            all_probabilities={self.codes[i]: round(float(probabilities[i]), 6) for i in order},
            timestamp=dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )


def _require_size(n_bytes: int, file: str) -> None:
    if n_bytes > MAX_BYTES:
        size = format_size(n_bytes)
        raise SampleError(f"{printable(file)}: {size}; at most {format_size(MAX_BYTES)}")


def _are_probabilities(values: npt.NDArray[np.floating[Any]]) -> bool:
    # Mostly it is one short row, of which NumPy's reductions would take several times as long.
    # Where one is not a number, neither is the sum.
    return all(min(row) >= -_ROUNDING and abs(sum(row) - 1) <= _ROUNDING for row in values.tolist())


def _unknown(artifact: StoredArtifact, n_features: int) -> tuple[Novelty | None, float]:
    """Return what tells unknown examples, and the score above which they are."""
    described = artifact.manifest.get("unknown")
    if described is None:
        return None, float("inf")
    arrays = {name: _array(artifact, file) for name, file in described["state"].items()}
    if arrays["centre"].shape != (n_features,):
        raise ValueError("the arrays of the novelty score are not of these features")
    return Novelty.restore(arrays), described["threshold"]


def _array(artifact: StoredArtifact, file: str) -> npt.NDArray[np.float32]:
    try:
        return array_from_bytes(artifact.files[file], np.float32)
    except ValueError as error:
        where = f"{artifact.version}/{printable(file)}"
        raise ArtifactError(f"{where}: {printable(str(error))[:200]}", artifact.remedy) from None


def _modality(described: dict[str, Any], version: str) -> Modality:
    component = MODALITIES.get(described["name"], where=version)
    return component(component.Config.restored(described["parameters"]))


def _extractor(
    described: dict[str, Any], modality: Modality, artifact: StoredArtifact
) -> Extractor:
    component = EXTRACTORS.get(described["name"], modality.name, artifact.version)
    if described["revision"] != component.revision:
        raise ArtifactError(
            f"{artifact.version}: made with revision {described['revision']} of "
            f"{component.name}; this is revision {component.revision}",
            artifact.remedy,
        )
    config = component.Config.restored(described["parameters"])
    state = {name: artifact.files[file] for name, file in described["state"].items()}
    return component.restore(config, state).bound_to(modality)
