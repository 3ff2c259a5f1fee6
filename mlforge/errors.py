"""Every error that mlforge raises on purpose.

The command line turns each into one message, one hint and one exit code::

    MlforgeError                 70  (never raised itself)
    ├── ConfigError               2  usage or configuration
    ├── DataError                 3  the data cannot be used as it is
    │   ├── SampleError           3  one example cannot be used
    │   └── StorageError          3  a file cannot be read or written
    ├── MissingExtraError         4  an optional dependency is not installed
    │   └── MissingDecoderError   4  what decodes one example is not installed; a SampleError too
    ├── ArtifactError             5  an artifact is missing, corrupt or incompatible
    └── EngineError               6  the engine or a remote service failed

All of them survive pickling, so that a worker process can hand one to its parent.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "ArtifactError",
    "ConfigError",
    "DataError",
    "EngineError",
    "MissingDecoderError",
    "MissingExtraError",
    "MlforgeError",
    "SampleError",
    "StorageError",
]


class MlforgeError(Exception):
    """An error with a message for a person, a next step and an exit code.

    Parameters
    ----------
    message
        What is wrong and where (file, key, line).
    hint
        What to type or change next; may be empty.

    Examples
    --------
    >>> error = DataError("category 'cup' has no seeds", "mlforge categories add cup cup1.jpg")
    >>> str(error), error.exit_code
    ("category 'cup' has no seeds", 3)
    """

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class ConfigError(MlforgeError):
    """Usage or configuration is wrong."""

    exit_code = 2


class DataError(MlforgeError):
    """The data cannot be used as it is."""

    exit_code = 3


class SampleError(DataError):
    """One example cannot be decoded or used."""


class StorageError(DataError):
    """A file cannot be read or written: no permission, no space, a broken disk."""


class MissingExtraError(MlforgeError):
    """An optional dependency is not installed; the hint holds the install command."""

    exit_code = 4


class MissingDecoderError(MissingExtraError, SampleError):
    """An example cannot be decoded on this machine, and may be sound: nothing to be noted."""


class ArtifactError(MlforgeError):
    """An artifact is missing, corrupt, incompatible or untrusted."""

    exit_code = 5


class EngineError(MlforgeError):
    """The engine or a remote service failed."""

    exit_code = 6
