"""Looking at the environment and the project's health."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from mlforge.core.component import Component
from mlforge.core.extras import extras, install_command, pip_install, requirements
from mlforge.core.registry import Registry
from mlforge.core.reporting import SilentReporter
from mlforge.core.units import format_size
from mlforge.engines.local import available_processors, why_no_processes
from mlforge.errors import MlforgeError
from mlforge.extractors import EXTRACTORS
from mlforge.generators import GENERATORS
from mlforge.modalities import MODALITIES
from mlforge.models import MODELS
from mlforge.techniques import TECHNIQUES
from mlforge.workflows.check import check
from mlforge.workflows.workspace import Workspace

__all__ = ["Diagnosis", "diagnose"]

LIBRARIES = (
    "mlforge",
    "numpy",
    "scipy",
    "scikit-learn",
    "opencv-python-headless",
    "pillow",
    "albumentations",
    "onnx",
    "onnxruntime",
    "pydantic",
    "typer",
    "rich",
    "joblib",
    "threadpoolctl",
    "httpx",
    "httpcore",
    "jinja2",
)
_LITTLE_SPACE = 1_000_000_000


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked at.

    Attributes
    ----------
    name
        What.
    status
        ``ok``, ``warning`` or ``error``.
    detail
        What was found.
    fix
        What to do; empty where nothing is to be done.
    """

    name: str
    status: Literal["ok", "warning", "error"]
    detail: str
    fix: str = ""


def diagnose(root: Path | None) -> list[Diagnosis]:
    """Look at the interpreter, libraries, extras, plugins and, where there is one, the project."""
    return [
        *_interpreter(),
        *_processes(),
        *_libraries(),
        *_extras(),
        *_plugins(),
        *(_project(root) if root is not None else ()),
    ]


def _interpreter() -> Iterator[Diagnosis]:
    version = platform.python_version()
    supported = (3, 11) <= sys.version_info[:2] < (3, 14)
    yield Diagnosis(
        "python",
        "ok" if supported else "error",
        f"{version} on {platform.system()} {platform.machine()}",
        "" if supported else "use Python 3.11, 3.12 or 3.13",
    )


def _processes() -> Iterator[Diagnosis]:
    """Look at whether work can be shared among processes."""
    reason = why_no_processes()
    yield Diagnosis(
        "worker processes",
        "warning" if reason else "ok",
        reason or f"{available_processors()}, one a processor",
        "everything works with one worker, but slower; containers: --shm-size" if reason else "",
    )


def _libraries() -> Iterator[Diagnosis]:
    for name in LIBRARIES:
        version = _version(name)
        if version:
            yield Diagnosis(name, "ok", version)
        else:
            yield Diagnosis(name, "error", "not installed", _install(name))
    boosters = {name: _version(name) for name in ("xgboost-cpu", "xgboost")}
    found = {name: version for name, version in boosters.items() if version}
    if len(found) == 2:
        yield Diagnosis(
            "xgboost",
            "error",
            "xgboost and xgboost-cpu are both installed and overwrite each other's files",
            f"python -m pip uninstall -y xgboost xgboost-cpu; {_install(*boosters)}",
        )
    elif found:
        ((name, version),) = found.items()
        yield Diagnosis("xgboost", "ok", f"{version} ({name})")
    else:
        yield Diagnosis("xgboost", "error", "not installed", _install(*boosters))


def _install(*names: str) -> str:
    """Return the command that installs some of what mlforge requires."""
    required = requirements("mlforge")
    needed = [required[name] for name in names if name in required]
    return pip_install(needed or required.values())


def _extras() -> Iterator[Diagnosis]:
    """Look at the extras of mlforge and of what is registered."""
    wanted: dict[tuple[str, str], list[type[Component]]] = {
        ("mlforge", extra): [] for extra in extras("mlforge") if extra != "dev"
    }
    for registry in _registries():
        for component in registry.components():
            if component.extra is not None:
                key = (component.distribution, component.extra)
                wanted.setdefault(key, []).append(component)
    for (distribution, extra), components in wanted.items():
        missing = [name for name in requirements(distribution, extra) if not _version(name)]
        for component in components:
            if not missing and not component.available():
                missing = [*component.requires, *component.fits_with]
        if not missing:
            yield Diagnosis(f"extra {extra}", "ok", "installed")
            continue
        users = ", ".join(component.name for component in components)
        detail = f"not installed: {', '.join(missing)}{f' (for {users})' if users else ''}"
        yield Diagnosis(f"extra {extra}", "ok", detail, install_command(distribution, extra))


def _plugins() -> Iterator[Diagnosis]:
    for registry in _registries():
        for broken in registry.broken():
            yield Diagnosis(
                f"{registry.kind} {broken.name}",
                "error",
                f"from {broken.source}: {broken.reason}",
                f"mend or uninstall {broken.source}",
            )


def _registries() -> list[Registry[Any]]:
    return [MODALITIES, TECHNIQUES, GENERATORS, EXTRACTORS, MODELS]


def _project(root: Path) -> Iterator[Diagnosis]:
    workspace = Workspace(root)
    free = shutil.disk_usage(root).free
    yield Diagnosis(
        "disk space",
        "ok" if free > _LITTLE_SPACE else "warning",
        f"{format_size(free)} free",
        "" if free > _LITTLE_SPACE else "free some space before generating samples",
    )
    try:
        n_categories = len(workspace.layout.category_codes())
        detail = f"{workspace.modality.name}s, {n_categories} categories"
        yield Diagnosis("settings", "ok", detail)
        findings = check(workspace, (), SilentReporter())
    except MlforgeError as error:
        yield Diagnosis("project", "error", error.message, error.hint)
        return
    errors = sum(finding.severity == "error" for finding in findings)
    yield Diagnosis(
        "categories",
        "error" if errors else "warning" if findings else "ok",
        f"{errors} errors, {len(findings) - errors} warnings" if findings else "nothing found",
        "mlforge categories check" if findings else "",
    )
    yield from _artifacts(workspace)


def _artifacts(workspace: Workspace) -> Iterator[Diagnosis]:
    versions = workspace.artifacts.versions()
    for version in versions:
        try:
            workspace.artifacts.load(version)
        except MlforgeError as error:
            yield Diagnosis(f"model {version}", "error", error.message, error.hint)
    yield Diagnosis("models", "ok", f"{len(versions)} stored")


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
