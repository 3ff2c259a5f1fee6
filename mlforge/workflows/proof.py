"""Proving an artifact: its parameters are allowed, and it predicts what it did where it was made.

What a stranger made is proved in a process of its own. Its graph is harmless in what it touches,
but it may compute for hours, and nothing stops a computation in the process that waits for it.
"""

from __future__ import annotations

import io
import json
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from mlforge.core.import_path import child_environment
from mlforge.core.validation import validated
from mlforge.errors import ArtifactError, ConfigError, MissingExtraError, MlforgeError
from mlforge.extractors import EXTRACTORS
from mlforge.modalities import MODALITIES
from mlforge.storage.artifact_manifest import MANIFEST, advising, manifest_bytes
from mlforge.storage.artifacts import StoredArtifact, stored_artifact
from mlforge.storage.transport import pack, unpack
from mlforge.workflows.golden import Replay, replay
from mlforge.workflows.packaging import METRICS_FILE
from mlforge.workflows.trained import trained_model

__all__ = ["prove", "prove_apart"]

_MAX_SECONDS = 120
"""So long a proof may take; golden examples take a few seconds on the slowest machine."""
_ERRORS = (ArtifactError, ConfigError, MissingExtraError)


def prove(artifact: StoredArtifact) -> Replay:
    """Hold that an artifact can be shown, its parameters be used, and it predicts what it did.

    Raises
    ------
    ArtifactError
        If it is not described as it must be, or predicts something else.
    ConfigError, MissingExtraError
        If it needs what is not installed.
    """
    manifest, version = artifact.manifest, artifact.version
    modality = manifest["modality"]["name"]
    parts: Sequence[tuple[Any, Mapping[str, Any]]] = [
        (MODALITIES.get(modality, where=version), manifest["modality"]),
        *(
            (EXTRACTORS.get(described["name"], modality, version), described)
            for described in manifest["extractors"]
        ),
    ]
    for component, described in parts:
        try:
            validated(component.Config, described["parameters"], version)
        except ConfigError as error:
            raise ArtifactError(error.message, artifact.remedy) from None
    with advising(artifact.remedy):
        trained_model(version, manifest, artifact.read_json(METRICS_FILE))
        return replay(artifact)


def prove_apart(artifact: StoredArtifact) -> Replay:
    """Hold what `prove` does, in another process, for two minutes at most.

    Raises
    ------
    ArtifactError
        As `prove` does; also if it takes longer, or ends the process.
    ConfigError, MissingExtraError
        If it needs what is not installed.
    """
    files = {MANIFEST: manifest_bytes(artifact.manifest), **artifact.files}
    command = [sys.executable, "-m", __name__, artifact.version, artifact.remedy]
    command.append(str(_MAX_SECONDS))
    with subprocess.Popen(  # noqa: S603 - this Python, and a version's name
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=child_environment(),
    ) as child:
        try:
            told, _ = child.communicate(b"".join(pack(files)), timeout=_MAX_SECONDS)
            endless = child.returncode == -signal.SIGXCPU
        except subprocess.TimeoutExpired:
            endless = True
        finally:
            child.kill()
    if endless:
        raise _unfit(artifact, f"it takes more than {_MAX_SECONDS} seconds")
    return _answer(artifact, told)


def _answer(artifact: StoredArtifact, told: bytes) -> Replay:
    """Return what the other process found, or raise what it raised."""
    try:
        answer = json.loads(told)
    except ValueError:
        raise _unfit(artifact, "it ends the process that runs it") from None
    if "error" not in answer:
        return Replay(**answer)
    for error in _ERRORS:
        if answer["error"] == error.__name__:
            raise error(answer["message"], answer["hint"])
    raise _unfit(artifact, f"{answer['error']} came of trying")


def _unfit(artifact: StoredArtifact, reason: str) -> ArtifactError:
    return ArtifactError(
        f"{artifact.version}: not used: {reason} to predict its golden examples",
        artifact.remedy,
    )


def _prove_given(version: str, helps: str, max_seconds: int) -> dict[str, Any]:
    """Prove the artifact that stands in stdin, and return what is told of it."""
    # Also where nobody waits any longer, because whoever did was killed. Two threads spend these
    # seconds before the clock does: the signal of the lower limit tells that from a crash.
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    if most == resource.RLIM_INFINITY or most > max_seconds:
        resource.setrlimit(resource.RLIMIT_CPU, (max_seconds, max_seconds + 1))
    data = sys.stdin.buffer.read()
    files = unpack(io.BytesIO(data), len(data), version)
    try:
        artifact = stored_artifact(files.pop(MANIFEST), files, version)
        return asdict(prove(replace(artifact, remedy=helps)))
    except MlforgeError as error:
        return {"error": type(error).__name__, "message": error.message, "hint": error.hint}
    # Whatever it is, also of a plugin: whoever waits is to be told.
    except Exception as error:  # noqa: BLE001 - see above
        return {"error": type(error).__name__}


if __name__ == "__main__":
    # What a plugin prints is no answer.
    told, sys.stdout = sys.stdout, sys.stderr
    told.write(json.dumps(_prove_given(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
