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
        """Return what `note_latest` noted: ``versions``, ``failed``, ``withheld``, ``answers``."""
        noted = self._read(LATEST)
        body = {key: value for key, value in noted.items() if key != "digest"}
        try:
            unchanged = noted.get("digest") == digest_json(body)
        except (RecursionError, TypeError, ValueError):
            unchanged = False
        if unchanged:
            # Notes of earlier versions lack what was not noted then.
            match {"answers": {}, "withheld": body.get("failed"), **body}:
                case {
                    "versions": list(),
                    "failed": list(),
                    "withheld": list(),
                    "answers": dict(),
                } as note:
                    return note
        return {"versions": [], "failed": [], "withheld": [], "answers": {}}

    def latest_answers(self, version: str) -> list[dict[str, Any]]:
        """Return what was last answered to the gates of a version, as it was noted."""
        answers: list[dict[str, Any]] = self.latest()["answers"].get(version, [])
        return answers

    def withheld(self) -> list[str]:
        """Return the versions that failed a gate of their own training, whenever that was."""
        return [version for version in self.latest()["withheld"] if isinstance(version, str)]

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
            The versions that failed no gate when they were trained, best first.
        failed
            The others, best first; none of them is used unless it is named, also where a later
            `train` answers with others.
        answers
            What was answered to the gates of each version.
        """
        withheld = sorted({*self.withheld(), *failed})
        self._note_latest(
            {
                "versions": list(passed),
                "failed": list(failed),
                "withheld": withheld,
                "answers": answers or {},
            }
        )

    def note_answers(self, answers: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Remember what was answered to the gates of versions, and change nothing else."""
        noted = self.latest()
        self._note_latest({**noted, "answers": {**noted["answers"], **answers}})

    def highest_removed(self, model: str) -> int:
        """Return the highest number that a removed version of a model had; 0 where none was."""
        number = self._read(NUMBERS).get(model)
        return number if isinstance(number, int) and 0 < number <= MAX_NUMBER else 0

    def note_removed(self, model: str, number: int) -> None:
        """Remember the number of a version that is about to be removed."""
        numbers = self._read(NUMBERS)
        highest = max(number, self.highest_removed(model))
        rewrite_json(self._folder / NUMBERS, {**numbers, model: highest})

    def _note_latest(self, body: Mapping[str, Any]) -> None:
        rewrite_json(self._folder / LATEST, {**body, "digest": digest_json(body)})

    def _read(self, name: str) -> dict[str, Any]:
        try:
            value = json.loads(read_plain(self._folder / name, _MAX_BYTES) or b"")
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}
