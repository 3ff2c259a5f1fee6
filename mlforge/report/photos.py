"""The seeds as a report shows them: picture, truth, and what the model took them for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlforge.evaluation.records import Evaluation, SeedOutcome
from mlforge.report.data import ReportData
from mlforge.report.pictures import picture_urls
from mlforge.report.words import percent, shown

__all__ = ["Album", "Guess", "Mixup", "Photo", "RightOnes", "cell_key", "make_album"]

_N_GUESSES = 3


@dataclass(frozen=True)
class Guess:
    """One of a model's top guesses.

    Attributes
    ----------
    name
        The category.
    share
        How sure the model was, in percent as the length of a bar.
    text
        The same as text.
    truth
        Whether it is the seed's own category.
    """

    name: str
    share: float
    text: str
    truth: bool


@dataclass(frozen=True)
class Photo:
    """A seed.

    Attributes
    ----------
    file
        ``CODE/NAME``, safe to show.
    url
        Its picture; empty where there is none.
    lack
        Why there is no picture; empty where there is one.
    truth, taken_for
        Its category, and what the model took it for.
    sure
        How sure the model was of that.
    reliable
        Whether the model's answer would have been called reliable.
    unknown
        Whether the seed looked like nothing it knows.
    guesses
        The top guesses, and the truth where it is not among them.
    """

    file: str
    url: str
    lack: str
    truth: str
    taken_for: str
    sure: str
    reliable: bool
    unknown: bool
    guesses: tuple[Guess, ...]


@dataclass(frozen=True)
class Mixup:
    """The seeds of one category that were taken for another: a cell of the confusion matrix."""

    key: str
    truth: str
    taken_for: str
    n_seeds: int
    photos: tuple[Photo, ...]


@dataclass(frozen=True)
class RightOnes:
    """The seeds of one category that were found."""

    key: str
    name: str
    n_seeds: int
    photos: tuple[Photo, ...]


@dataclass(frozen=True)
class Album:
    """All seeds that were scored.

    Attributes
    ----------
    mixups
        The wrong ones by what was taken for what, the most frequent first.
    right
        The right ones by category.
    n_wrong, n_reliable
        How many are wrong, and how many of these would have been called reliable.
    n_hidden
        How many wrong ones are beyond what a page can hold.
    n_left_out, n_gone
        How many seeds have no picture because it did not fit, or because they are gone.
    """

    mixups: tuple[Mixup, ...]
    right: tuple[RightOnes, ...]
    n_wrong: int
    n_reliable: int
    n_hidden: int
    n_left_out: int
    n_gone: int

    @property
    def keys(self) -> frozenset[str]:
        """The cells that have photos to show."""
        return frozenset([*(m.key for m in self.mixups), *(r.key for r in self.right)])


def cell_key(true: int, predicted: int) -> str:
    """Return the id of a cell of the confusion matrix."""
    return f"cell-{true + 1}-{predicted + 1}"


def make_album(data: ReportData, scores: Evaluation, names: Mapping[str, str]) -> Album:
    """Sort the scored seeds into wrong and right ones, and each of them by cell.

    Samples of categories without seeds are not among them.
    """
    photographer = _Photographer(data, scores, names)
    cells: dict[tuple[int, int], list[SeedOutcome]] = {}
    for seed in scores.evidence:
        cell = scores.codes.index(seed.code), photographer.guess(seed)
        cells.setdefault(cell, []).append(seed)
    wrong = [(cell, seeds) for cell, seeds in cells.items() if cell[0] != cell[1]]
    wrong.sort(key=lambda item: (-len(item[1]), item[0]))
    n_wrong = sum(len(seeds) for _, seeds in wrong)
    mixups, room, n_reliable = [], data.max_cards, 0
    for (true, predicted), seeds in wrong:
        ordered = sorted(seeds, key=lambda seed: -max(seed.probabilities))
        n_reliable += sum(photographer.is_reliable(seed) for seed in seeds)
        photos = tuple(photographer.photo(seed) for seed in ordered[:room])
        room -= len(photos)
        key = cell_key(true, predicted)
        true_name, name = (names[scores.codes[number]] for number in (true, predicted))
        if photos:
            mixups.append(Mixup(key, true_name, name, len(seeds), photos))
    right = _right_ones(scores, cells, names, photographer, data.max_cards)
    shown_photos = sum(len(mixup.photos) for mixup in mixups)
    files = {seed.file for seed in scores.evidence}
    return Album(
        tuple(mixups),
        right,
        n_wrong,
        n_reliable,
        n_hidden=n_wrong - shown_photos,
        n_left_out=len(files - data.thumbnails.keys() - data.missing),
        n_gone=len(files & data.missing),
    )


def _right_ones(
    scores: Evaluation,
    cells: Mapping[tuple[int, int], Sequence[SeedOutcome]],
    names: Mapping[str, str],
    photographer: _Photographer,
    max_cards: int,
) -> tuple[RightOnes, ...]:
    limit = max(1, max_cards // len(scores.codes))
    found = []
    for number, code in enumerate(scores.codes):
        seeds = cells.get((number, number), ())
        if seeds:
            photos = [photographer.photo(seed) for seed in seeds[:limit]]
            pictured = tuple(photo for photo in photos if photo.url)
            key = cell_key(number, number)
            found.append(RightOnes(key, names[code], len(seeds), pictured))
    return tuple(found)


class _Photographer:
    """Turns what was said of a seed into what is shown of it."""

    def __init__(self, data: ReportData, scores: Evaluation, names: Mapping[str, str]) -> None:
        self._urls = picture_urls(data.thumbnails)
        self._missing = data.missing
        self._names = names
        self._codes = scores.codes
        self._threshold = scores.unknown.threshold if scores.unknown else None
        self._needed = {card.code: card.min_confidence for card in data.categories}

    def guess(self, seed: SeedOutcome) -> int:
        """Return the number of the category that a seed was taken for."""
        return seed.probabilities.index(max(seed.probabilities))

    def is_unknown(self, seed: SeedOutcome) -> bool:
        """Return whether a seed looked like nothing that the model knows."""
        if seed.novelty is None or self._threshold is None:
            return False
        return seed.novelty > self._threshold

    def is_reliable(self, seed: SeedOutcome) -> bool:
        """Return whether the answer would have been called reliable."""
        needed = self._needed.get(self._codes[self.guess(seed)])
        if needed is None or self._threshold is None:
            return False
        return max(seed.probabilities) >= needed and not self.is_unknown(seed)

    def photo(self, seed: SeedOutcome) -> Photo:
        """Return what is shown of a seed."""
        url = self._urls.get(seed.file, "")
        lack = "not among the seeds any more" if seed.file in self._missing else "picture left out"
        ranked = sorted(enumerate(seed.probabilities), key=lambda pair: -pair[1])
        top = ranked[:_N_GUESSES]
        top += [pair for pair in ranked[_N_GUESSES:] if self._codes[pair[0]] == seed.code]
        guesses = tuple(
            Guess(
                self._names[self._codes[number]],
                round(100 * share, 1),
                percent(share),
                self._codes[number] == seed.code,
            )
            for number, share in top
        )
        return Photo(
            file=shown(seed.file),
            url=url,
            lack="" if url else lack,
            truth=self._names[seed.code],
            taken_for=self._names[self._codes[self.guess(seed)]],
            sure=percent(max(seed.probabilities)),
            reliable=self.is_reliable(seed),
            unknown=self.is_unknown(seed),
            guesses=guesses,
        )
