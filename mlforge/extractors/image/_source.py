"""Where a backbone comes from: a file, or the Hugging Face hub."""

from __future__ import annotations

import errno
import importlib.util
import os
import re
from pathlib import Path

from mlforge.errors import ConfigError, EngineError, MissingExtraError, StorageError
from mlforge.storage.files import read_plain

__all__ = ["ALLOW_DOWNLOAD", "read_backbone"]

ALLOW_DOWNLOAD = "MLFORGE_ALLOW_DOWNLOAD"
# What protocol buffers, and so ONNX graphs, can be at most.
_MAX_BYTES = 2**31 - 1
_HUB = re.compile(r"hub:(?P<repository>[\w.-]+/[\w.-]+)/(?P<file>\S+\.onnx)")


def read_backbone(source: str, install_command: str) -> bytes:
    """Return the bytes of the ONNX graph that `source` names.

    Parameters
    ----------
    source
        A file's path, or ``hub:owner/repository/file.onnx``. From the hub a file is downloaded only
        where the environment variable ``MLFORGE_ALLOW_DOWNLOAD`` is ``1``; elsewhere it must be in
        the hub's cache on this machine.
    install_command
        What installs the hub's library, for the message if it is missing.

    Raises
    ------
    ConfigError
        If `source` is empty or malformed, or names a file that is not there or can't be read.
    MissingExtraError
        If it names the hub and the hub's library is not installed.
    EngineError
        If the download fails.
    """
    if not source:
        raise ConfigError(
            "features.embedding.source: not set",
            'name an ONNX file: source = "backbone.onnx" under [features.embedding]',
        )
    path = _from_hub(source, install_command) if source.startswith("hub:") else source
    hint = "name an ONNX file that is there, or hub:owner/repository/file.onnx"
    try:
        # The hub's cache, for one, is made of links; what they lead to must be a file.
        file = Path(path).expanduser().resolve(strict=True)
        data = read_plain(file, _MAX_BYTES)
    except (OSError, ValueError, RuntimeError, StorageError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"features.embedding.source: cannot read {source!r}: {reason}", hint
        ) from None
    if data is None:
        reason = os.strerror(errno.EISDIR) if file.is_dir() else "not a regular file"
        raise ConfigError(f"features.embedding.source: cannot read {source!r}: {reason}", hint)
    if len(data) > _MAX_BYTES:
        raise ConfigError(f"features.embedding.source: {source!r} has more than 2 GiB", hint)
    return data


def _from_hub(source: str, install_command: str) -> str:
    parts = _HUB.fullmatch(source)
    if parts is None:
        raise ConfigError(
            f"features.embedding.source: {source!r} does not name a file of the hub",
            "write hub:owner/repository/file.onnx",
        )
    if importlib.util.find_spec("huggingface_hub") is None:
        raise MissingExtraError(
            f"{source!r} needs huggingface_hub, which is not installed", install_command
        )
    return _in_cache(source, parts["repository"], parts["file"])


def _in_cache(source: str, repository: str, file: str) -> str:
    import huggingface_hub
    from huggingface_hub import errors

    allowed = os.environ.get(ALLOW_DOWNLOAD) == "1"
    try:
        return str(huggingface_hub.hf_hub_download(repository, file, local_files_only=not allowed))
    except errors.HFValidationError as error:
        raise ConfigError(
            f"features.embedding.source: {source!r}: {error}",
            "write hub:owner/repository/file.onnx",
        ) from None
    except (OSError, errors.EntryNotFoundError) as error:
        if allowed:
            raise EngineError(
                f"{source!r} could not be downloaded: {type(error).__name__}",
                "check the name and the connection, or name a file of your own",
            ) from None
        raise ConfigError(
            f"features.embedding.source: {source!r} is not in the hub's cache on this machine, and "
            "downloads are not allowed",
            f"set {ALLOW_DOWNLOAD}=1 to allow them, or name a file of your own",
        ) from None
