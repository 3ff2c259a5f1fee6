"""Names: category codes, nearest matches and text that is safe to show."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from mlforge.errors import ConfigError

__all__ = [
    "PRODUCTION",
    "check_code",
    "code_from_name",
    "is_system_name",
    "nearest",
    "printable",
    "suggestion",
]

PRODUCTION = "production"
"""The alias that predicting uses where no model is named."""
MAX_CODE_LENGTH = 64
_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
# Windows opens a device, not a file, under these names, whatever the folder.
_DEVICE_NAMES = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))]
)


# What Windows, macOS, Linux and storage boxes write into folders by themselves.
_SYSTEM_NAMES = frozenset(
    [
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r"),
        *("__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information"),
        *("lost+found", "network trash folder", "temporary items"),
    ]
)


def is_system_name(name: str) -> bool:
    """Return whether a file or folder of this name is hidden, or a system's and nobody's data.

    Examples
    --------
    >>> [is_system_name(name) for name in ("Thumbs.db", "._cup.jpg", "__MACOSX", "cup.jpg")]
    [True, True, True, False]
    """
    return name.startswith(".") or name.casefold() in _SYSTEM_NAMES


def check_code(code: str, where: str = "category code") -> str:
    """Return `code` if it may name a category's folder.

    Raises
    ------
    ConfigError
        If it has other characters than ``a-z 0-9 _ -``, is longer than 64, begins with ``_`` or
        ``-``, or is the name of a device. The hint holds the nearest code that is allowed.

    Examples
    --------
    >>> check_code("golden_retriever")
    'golden_retriever'
    """
    if not _CODE.fullmatch(code) or code in _DEVICE_NAMES:
        proposal = code_from_name(code)
        hint = f"try {proposal!r}" if proposal else "use letters a-z, digits, '_' and '-'"
        raise ConfigError(
            f"{where}: {printable(code)!r} is not a code: a code is 1 to {MAX_CODE_LENGTH} "
            "characters of a-z, 0-9, '_' and '-', begins with a letter or digit, "
            "and is not the name of a device",
            hint,
        )
    return code


def code_from_name(name: str) -> str:
    """Turn a folder's or a person's name for a category into a code; empty if nothing is left.

    Examples
    --------
    >>> code_from_name("Japanese Cherry"), code_from_name("Café (noir)"), code_from_name("con")
    ('japanese_cherry', 'cafe_noir', 'con_')
    """
    decomposed = unicodedata.normalize("NFKD", name)
    plain = "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()
    code = re.sub(r"[^a-z0-9_-]+", "_", plain).strip("_-")[:MAX_CODE_LENGTH].rstrip("_-")
    return f"{code}_" if code in _DEVICE_NAMES else code


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like `name`, or None if none is like it."""
    import difflib

    by_folded = {option.casefold(): option for option in known}
    matches = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[matches[0]] if matches else None


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return a hint that names the nearest known name and lists the others.

    Examples
    --------
    >>> suggestion("xgbost", ["random_forest", "xgboost"])
    "did you mean 'xgboost'? known: random_forest, xgboost"
    """
    options = sorted(known)
    # Some names are those of folders that anybody may have made.
    listing = "known: " + (", ".join(map(printable, options)) or "none")
    match = nearest(name, options)
    return f"did you mean {match!r}? {listing}" if match else listing


def printable(text: str) -> str:
    r"""Return `text` with control characters and lone surrogates shown, not sent.

    Examples
    --------
    >>> print(printable("a\x1b[31mb\n"))
    a\x1b[31mb\x0a
    """
    return "".join(
        c if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} else _escape(c)
        for c in text
    )


def _escape(character: str) -> str:
    code = ord(character)
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else f"\\U{code:08x}"
    )
