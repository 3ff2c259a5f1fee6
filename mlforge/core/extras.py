"""What an extra brings, and the command that installs it.

The command names the requirements themselves. A package index may have another project under the
name that something was installed by from its source, and nobody is sent to a stranger's package.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

__all__ = ["extras", "install_command", "pip_install", "requirements"]

_OF_EXTRA = re.compile(r"""extra\s*==\s*(['"])(?P<name>[^'"]+)\1""")


def requirements(distribution: str, extra: str | None = None) -> dict[str, str]:
    """Return what an installed distribution requires, or what its extra brings.

    Parameters
    ----------
    distribution
        Its name.
    extra
        The extra; None for what is required without any.

    Returns
    -------
    dict
        Each requirement, such as ``torch<3,>=2.6``, by the name of what is required; empty where
        the distribution is not installed.
    """
    from importlib import metadata

    try:
        texts = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:
        return {}
    found = {}
    for text in texts:
        requirement, _, marker = (part.strip() for part in text.partition(";"))
        of_extra = _OF_EXTRA.search(marker)
        if (of_extra["name"] if of_extra else None) != extra:
            continue
        rest = re.sub(r"^\s*and\s+|\s+and\s*$|^\(|\)$", "", _OF_EXTRA.sub("", marker)).strip()
        name = re.match(r"[\w.-]+", requirement)
        if name:
            found[name[0]] = f"{requirement}; {rest}" if rest else requirement
    return found


def extras(distribution: str) -> list[str]:
    """Return the names of an installed distribution's extras, in order."""
    from importlib import metadata

    try:
        return sorted(metadata.metadata(distribution).get_all("Provides-Extra") or [])
    except metadata.PackageNotFoundError:
        return []


def install_command(distribution: str, extra: str | None = None) -> str:
    """Return the command that installs what a distribution requires, or what its extra brings.

    Where that is not known, it is a sentence that says where to look.

    Examples
    --------
    >>> install_command("mlforge", "heic")
    "python -m pip install 'pillow-heif<2,>=1'"
    """
    needed = requirements(distribution, extra)
    if not needed:
        what = f"the extra {extra!r} of {distribution}" if extra else distribution
        return f"install {what} from where you have {distribution}"
    return pip_install(needed.values())


def pip_install(needed: Iterable[str]) -> str:
    """Return the command that installs requirements, each as `requirements` gives it."""
    return f"python -m pip install {shlex.join(needed)}"
