"""mlforge grows a classifier that you can trust from a handful of examples.

Examples
--------
>>> from mlforge import Project
>>> Project.__name__
'Project'
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlforge.project import Project

__all__ = ["Project", "__version__"]

__version__ = "0.1.0"

# ONNX Runtime notes what it does below the home folder and reports it; it looks as it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def __getattr__(name: str) -> Any:
    # Late, so that importing one module of the package does not import the whole project.
    if name == "Project":
        from mlforge.project import Project

        return Project
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
