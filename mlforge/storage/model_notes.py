"""What is remembered beside the artifacts: the newest training, the numbers of what was removed.

Neither is needed to use a model. A note that was changed or lost counts as none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlforge.core.digest import digest_json
from mlforge.storage.files import read_plain, rewrite_json

__all__ = ["MAX_NUMBER", "ModelNotes"]

MAX_NUMBER = 10**9 - 1
"""The highest number that a version's name has room for."""
LATEST = "latest.json"
NUMBERS = "numbers.json"
_MAX_BYTES = 1024**2


class ModelNotes:
    """The notes in a project's ``artifacts/``, each a file that is replaced whole.

    Parameters
    ----------
    folder
        The folder ``artifacts/``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def latest(self) -> dict[str, Any]:
        """Return what `note_latest` noted: ``versions``, ``failed``, ``answers``."""
        noted = self._read(LATEST)
        body = {key: value for key, value in noted.items() if key != "digest"}
        try:
            unchanged = noted.get("digest") == digest_json(body)
        except (RecursionError, TypeError, ValueError):
            unchanged = False
        if unchanged:
            # Notes of before answers were noted have none.
            match {"answers": {}, **body}:
                case {"versions": list(), "failed": list(), "answers": dict()} as note:
                    return note
        return {"versions": [], "failed": [], "answers": {}}

    def latest_answers(self, version: str) -> list[dict[str, Any]]:
        """Return what the newest `train` answered to the gates of a version, as it was noted."""
        answers: list[dict[str, Any]] = self.latest()["answers"].get(version, [])
        return answers

    def note_latest(
        self,
        passed: Sequence[str],
        failed: Sequence[str] = (),
        answers: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    ) -> None:
        """Remember what the newest `train` answered with.

        Parameters
        ----------
        passed
            The versions that failed no gate, best first.
        failed
            The others, best first; none of them is used unless it is named.
        answers
            What was answered to the gates of each version.
        """
        body = {"versions": list(passed), "failed": list(failed), "answers": answers or {}}
        rewrite_json(self._folder / LATEST, {**body, "digest": digest_json(body)})

    def highest_removed(self, model: str) -> int:
        """Return the highest number that a removed version of a model had; 0 where none was."""
        number = self._read(NUMBERS).get(model)
        return number if isinstance(number, int) and 0 < number <= MAX_NUMBER else 0

    def note_removed(self, model: str, number: int) -> None:
        """Remember the number of a version that is about to be removed."""
        numbers = self._read(NUMBERS)
        highest = max(number, self.highest_removed(model))
        rewrite_json(self._folder / NUMBERS, {**numbers, model: highest})

    def _read(self, name: str) -> dict[str, Any]:
        try:
            value = json.loads(read_plain(self._folder / name, _MAX_BYTES) or b"")
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}
