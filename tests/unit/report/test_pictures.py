from __future__ import annotations

import dataclasses
from collections.abc import Callable

from mlforge.evaluation.records import SeedOutcome
from mlforge.report import MAX_BYTES, ReportData, render, with_pictures
from mlforge.report.photos import make_album
from mlforge.report.pictures import LARGE_SIDE, SMALL_SIDE, data_url, picture_files
from mlforge.report.views import category_names

MakeData = Callable[..., ReportData]
PICTURE = b"RIFF0000WEBP" + bytes(3000)


def wrong_files(data: ReportData) -> set[str]:
    assert data.evaluation is not None
    codes = data.evaluation.codes

    def is_wrong(seed: SeedOutcome) -> bool:
        return codes[seed.probabilities.index(max(seed.probabilities))] != seed.code

    return {seed.file for seed in data.evaluation.seeds if is_wrong(seed)}


def test_wrong_seeds_come_first_then_those_to_look_at_then_each_category_in_turn(
    make_data: MakeData,
) -> None:
    data = make_data(pictures=False)
    assert data.deep is not None
    files = list(picture_files(data))
    wrong = wrong_files(data)
    assert {file for file, _ in files[: len(wrong)]} == wrong
    blamed = {seed.file for seed in data.deep.blame or ()} - wrong
    assert {f for f, _ in files[len(wrong) : len(wrong) + len(blamed)]} == blamed
    assert {side for _, side in files[: len(wrong) + len(blamed)]} == {LARGE_SIDE}
    rest = files[len(wrong) + len(blamed) :]
    assert {side for _, side in rest} == {SMALL_SIDE}
    assert len({file.partition("/")[0] for file, _ in rest[:5]}) > 2
    assert len(files) == len(set(files)) == 60


def test_pictures_stop_where_the_page_is_full(make_data: MakeData) -> None:
    data = make_data(n_categories=10, n_seeds=100, pictures=False)
    asked: list[str] = []

    def load(file: str, side: int) -> bytes:
        asked.append(file)
        return PICTURE

    bare = len(render(data).encode())
    full = with_pictures(data, load, MAX_BYTES - bare)
    size = len(render(full).encode())
    assert 0.8 * MAX_BYTES < size < MAX_BYTES
    assert len(asked) == len(full.thumbnails) + 1 < 1000
    assert wrong_files(data) <= full.thumbnails.keys()


def test_seeds_that_did_not_fit_are_counted_and_those_gone_are_called_gone(
    make_data: MakeData,
) -> None:
    data = make_data(pictures=False, deep=False)
    assert data.evaluation is not None
    gone = min(wrong_files(data))

    def load(file: str, side: int) -> bytes | None:
        return None if file == gone else PICTURE

    some = with_pictures(data, load, 10 * len(data_url(PICTURE)))
    album = make_album(some, data.evaluation, category_names(data))
    assert album.n_gone == 1
    assert album.n_left_out == 60 - 1 - len(some.thumbnails)
    lacks = {photo.file: photo.lack for mixup in album.mixups for photo in mixup.photos}
    assert lacks[gone] == "not among the seeds any more"
    page = render(some)
    assert f"{album.n_left_out} pictures did not fit into this file" in page
    assert "1 photo can no longer be shown" in page


def test_only_known_kinds_become_addresses() -> None:
    assert data_url(PICTURE).startswith("data:image/webp;base64,")
    assert data_url(b"\xff\xd8\xff\xe0").startswith("data:image/jpeg;base64,")
    assert data_url(b"\x89PNG").startswith("data:image/png;base64,")
    assert data_url(b"<svg/>") == ""


def test_a_cell_holds_its_seeds_the_surest_first(make_data: MakeData) -> None:
    data = make_data(pictures=False)
    assert data.evaluation is not None
    album = make_album(data, data.evaluation, category_names(data))
    assert album.n_wrong == sum(m.n_seeds for m in album.mixups) == len(wrong_files(data))
    for mixup in album.mixups:
        true, predicted = (int(part) - 1 for part in mixup.key.split("-")[1:])
        assert mixup.n_seeds == data.evaluation.confusion[true][predicted]
        sure = [float(photo.sure.split("\xa0")[0]) for photo in mixup.photos]
        assert sure == sorted(sure, reverse=True)
        for photo in mixup.photos:
            assert [guess.truth for guess in photo.guesses].count(True) == 1
            assert photo.guesses[0].name == mixup.taken_for


def test_reliable_means_sure_enough_and_known(make_data: MakeData) -> None:
    data = make_data(pictures=False)
    assert data.evaluation is not None
    names = category_names(data)
    lax = tuple(dataclasses.replace(card, min_confidence=0.0) for card in data.categories)
    known = data.evaluation.unknown
    assert known is not None
    all_known = dataclasses.replace(
        data.evaluation, unknown=dataclasses.replace(known, threshold=1e9)
    )
    none_known = dataclasses.replace(
        data.evaluation, unknown=dataclasses.replace(known, threshold=-1.0)
    )
    untold = dataclasses.replace(data.evaluation, unknown=None)
    data = dataclasses.replace(data, categories=lax)
    assert make_album(data, all_known, names).n_reliable == len(wrong_files(data))
    assert make_album(data, none_known, names).n_reliable == 0
    assert make_album(data, untold, names).n_reliable == 0
