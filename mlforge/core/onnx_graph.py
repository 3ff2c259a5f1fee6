"""Running an ONNX graph: one thread, one input, one output at a time, typed errors."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from mlforge.core.onnx_check import check_graph
from mlforge.errors import ArtifactError

__all__ = ["OnnxGraph", "open_session"]

# What one process may use for a graph's values, in bytes: a small graph can ask for any amount.
_MAX_MEMORY = 2 * 1024**3
_DTYPES: dict[str, Any] = {"tensor(float)": np.float32, "tensor(double)": np.float64}


class OnnxGraph:
    """An ONNX graph in memory, ready to run.

    Parameters
    ----------
    data
        The serialized graph.
    where
        What it belongs to, for messages.

    Attributes
    ----------
    input_shape
        The shape of its input; a name or None stands for a free dimension.
    outputs
        The names of its outputs.

    Raises
    ------
    ArtifactError
        If ONNX Runtime refuses the graph, or it has not exactly one float input.
    """

    def __init__(self, data: bytes, where: str) -> None:
        self.where = where
        self._session = open_session(data, where)
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in _DTYPES:
            raise ArtifactError(f"{where}: the graph must have one input of float32 or float64")
        self._input = inputs[0].name
        self._dtype = _DTYPES[inputs[0].type]
        self.outputs: tuple[str, ...] = tuple(o.name for o in self._session.get_outputs())
        self.input_shape: tuple[int | str | None, ...] = tuple(inputs[0].shape)

    def run(self, values: npt.NDArray[Any], output: str | None = None) -> npt.NDArray[Any]:
        """Return an output for `values`: the first, or the one that is named.

        Raises
        ------
        ArtifactError
            If the graph does not take the shape, has no such output, or fails.
        """
        try:
            (result,) = self._session.run(
                [output or self.outputs[0]], {self._input: values.astype(self._dtype, copy=False)}
            )
        except Exception as error:  # noqa: BLE001 - as above
            raise ArtifactError(f"{self.where}: the graph failed: {_first_line(error)}") from None
        return np.asarray(result)


def open_session(data: bytes, where: str) -> Any:
    """Return a session of ONNX Runtime for a graph: the one door that every graph goes through.

    What is run was looked through here, whatever file it came from and whoever looked before.
    `data` and `where` are those of `OnnxGraph`.

    Raises
    ------
    ArtifactError
        If `check_graph` or ONNX Runtime refuses it.
    """
    import onnxruntime

    check_graph(data, where)
    options = onnxruntime.SessionOptions()
    # More threads spin while they wait, and cost more than they bring on one row.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Weights in other files are read from a folder that cannot hold any, and ONNX Runtime's own
    # format, which `check_graph` does not know, is not tried.
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", os.devnull
    )
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.add_session_config_entry("session.use_env_allocators", "1")
    _limit_memory()
    try:
        # Folding constants would run what a stranger wrote while it is only being loaded.
        return onnxruntime.InferenceSession(
            data,
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["ConstantFolding"],
        )
    # ONNX Runtime's errors share no base but Exception.
    except Exception as error:  # noqa: BLE001 - see above
        raise ArtifactError(f"{where}: not a usable ONNX graph: {_first_line(error)}") from None


@cache
def _limit_memory() -> None:
    import onnxruntime

    place = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    # Grown by what is asked for, not doubled: the limit then counts what is used.
    arena = onnxruntime.OrtArenaCfg({"max_mem": _MAX_MEMORY, "arena_extend_strategy": 1})
    onnxruntime.create_and_register_allocator(place, arena)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
