"""A neural network without its last layer, as an ONNX graph that turns pictures into vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlforge.core.names import printable
from mlforge.core.onnx_graph import open_session
from mlforge.errors import ArtifactError, ConfigError
from mlforge.extractors.image._canvas import Floats

__all__ = ["Backbone"]

HINT = "it takes an ONNX graph that turns one float32 picture into one vector or feature map"
ONE_FILE_HINT = "save it with its weights inside: onnx.save(onnx.load(path), path)"


class Backbone:
    """A graph, ready to run on one thread.

    Parameters
    ----------
    graph
        The serialized ONNX graph; it holds its weights itself.
    where
        Where it comes from, for messages.

    Raises
    ------
    ConfigError
        If it is not an ONNX graph that ONNX Runtime can run, or not one with one float32 input and
        an output.
    """

    def __init__(self, graph: bytes, where: str) -> None:
        self.where = where
        self._session = _session(graph, where)
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)":
            found = ", ".join(f"{i.name}: {i.type}" for i in inputs) or "none"
            raise ConfigError(f"{where}: it must have one float32 input; it has {found}", HINT)
        self._input = inputs[0].name
        self.input_shape: list[Any] = list(inputs[0].shape)
        self.outputs: list[str] = [output.name for output in self._session.get_outputs()]
        if not self.outputs:
            raise ConfigError(f"{where}: it has no output", HINT)

    def run(self, batch: Floats, output: str) -> Floats:
        """Return what the graph gives for `batch`.

        Parameters
        ----------
        batch
            One picture, float32, of the shape that the graph takes.
        output
            The name of one of its `outputs`.

        Raises
        ------
        ConfigError
            If the graph fails, for one because it takes another shape, or gives no real numbers.
        """
        try:
            values = self._session.run([output], {self._input: batch})[0]
        # The errors of ONNX Runtime share no base, and its classes are not public.
        except Exception as error:  # noqa: BLE001 - see above
            shape = " x ".join(str(side) for side in self.input_shape)
            given = " x ".join(str(side) for side in batch.shape)
            raise ConfigError(
                f"{self.where}: it cannot be run on a picture of {given} (it takes {shape}): "
                f"{_reason(error)}",
                "set size and layout under [features.embedding] to what it takes",
            ) from None
        if not isinstance(values, np.ndarray) or values.dtype.kind != "f":
            raise ConfigError(f"{self.where}: its output {output!r} holds no real numbers", HINT)
        with np.errstate(over="ignore"):
            return np.asarray(values, np.float32)


def _session(graph: bytes, where: str) -> Any:
    try:
        return open_session(graph, where)
    except ArtifactError as error:
        hint = ONE_FILE_HINT if "another file" in error.message else HINT
        raise ConfigError(error.message, hint) from None


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return printable(lines[0])[:200]
