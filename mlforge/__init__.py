"""mlforge grows a classifier that you can trust from a handful of examples.

Examples
--------
>>> from mlforge import Project
>>> Project.__name__
'Project'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlforge.project import Project

__all__ = ["Project", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Late, so that importing one module of the package does not import the whole project.
    if name == "Project":
        from mlforge.project import Project

        return Project
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
