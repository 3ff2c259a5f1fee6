from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mlforge import Project
from mlforge.core.digest import digest_bytes
from mlforge.core.records import Seed
from mlforge.core.reporting import SilentReporter
from mlforge.engines.local import LocalEngine
from mlforge.modalities.image import Image
from mlforge.workflows.near_duplicates import find_near_duplicates, look_at, tied_groups

Pixels = npt.NDArray[np.uint8]


@pytest.fixture
def empty(tmp_path: Path) -> Project:
    return Project.init(tmp_path / "project")


def scene(number: int) -> Pixels:
    """A picture that no other number resembles."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC), np.uint8)


def darker(number: int) -> Pixels:
    return (scene(number) * 0.8).astype(np.uint8)


def seed_of(folder: Path, name: str, picture: Pixels, group: str | None = None) -> Seed:
    path = folder / name
    data = cv2.imencode(path.suffix, picture)[1].tobytes()
    path.write_bytes(data)
    return Seed(path, digest_bytes(data), group or digest_bytes(data))


def groups(
    project: Project,
    seeds: Sequence[Seed],
    workers: int = 1,
    reporter: SilentReporter | None = None,
) -> tuple[str, ...]:
    workspace, engine = project.workspace, LocalEngine(workers)
    looks = look_at(workspace, seeds, engine, reporter or SilentReporter())
    return tied_groups(seeds, find_near_duplicates(workspace.modality, seeds, looks))


def test_seeds_that_look_alike_are_one_group(empty: Project, tmp_path: Path) -> None:
    seeds = [
        seed_of(tmp_path, "a.png", scene(1)),
        seed_of(tmp_path, "b.png", scene(2)),
        seed_of(tmp_path, "c.jpg", darker(1)),
    ]
    first, second, third = groups(empty, seeds)
    assert first == third == min(seeds[0].group, seeds[2].group)
    assert second == seeds[1].group


def test_named_groups_that_share_a_picture_become_one(empty: Project, tmp_path: Path) -> None:
    seeds = [
        seed_of(tmp_path, "a.png", scene(1), "film"),
        seed_of(tmp_path, "b.png", scene(2), "film"),
        seed_of(tmp_path, "c.png", darker(2), "clip"),
        seed_of(tmp_path, "d.png", scene(3), "clip"),
        seed_of(tmp_path, "e.png", scene(4), "other"),
    ]
    assert groups(empty, seeds) == ("clip", "clip", "clip", "clip", "other")


def test_the_same_bytes_are_one_group_also_where_a_pattern_says_otherwise(
    empty: Project, tmp_path: Path
) -> None:
    flat = np.full((40, 40, 3), 90, np.uint8)
    seeds = [seed_of(tmp_path, "a.png", flat, "x"), seed_of(tmp_path, "b.png", flat, "w")]
    assert groups(empty, seeds) == ("w", "w")


def test_groups_do_not_depend_on_the_order_of_the_seeds(empty: Project, tmp_path: Path) -> None:
    seeds = [seed_of(tmp_path, f"{n}.png", scene(n // 2)) for n in range(12)]
    seeds += [seed_of(tmp_path, f"d{n}.png", darker(n)) for n in range(6)]
    found = groups(empty, seeds)
    assert groups(empty, seeds[::-1]) == found[::-1]
    assert len(set(found)) == 6


def test_a_seed_that_cannot_be_decoded_keeps_its_group(empty: Project, tmp_path: Path) -> None:
    path = tmp_path / "torn.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    torn = Seed(path, digest_bytes(path.read_bytes()), "own")
    whole = seed_of(tmp_path, "a.png", scene(1))
    assert groups(empty, [torn, whole]) == ("own", whole.group)
    looks = look_at(empty.workspace, [torn, whole], LocalEngine(1), SilentReporter())
    assert list(looks.fingerprints) == [whole.digest]
    assert "PNG" in looks.unreadable[torn.digest].message


def test_a_file_that_is_not_what_was_listed_is_not_taken_for_it(
    empty: Project, tmp_path: Path
) -> None:
    seed = seed_of(tmp_path, "a.png", scene(1))
    seed_of(tmp_path, "a.png", scene(2))
    looks = look_at(empty.workspace, [seed], LocalEngine(1), SilentReporter())
    assert "changed while it was read" in looks.unreadable[seed.digest].message


def test_no_seeds_have_no_groups(empty: Project) -> None:
    assert groups(empty, []) == ()


def test_each_seed_is_decoded_once_and_never_again(
    empty: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[bytes] = []
    whole: Callable[[Image, bytes], Pixels] = Image.decode

    def counting(self: Image, data: bytes) -> Pixels:
        decoded.append(data)
        return whole(self, data)

    monkeypatch.setattr(Image, "decode", counting)
    seeds = [seed_of(tmp_path, f"{n}.png", scene(n)) for n in range(5)]
    seeds.append(Seed(tmp_path / "0.png", seeds[0].digest, "again"))
    found = groups(empty, seeds)
    assert len(decoded) == 5
    assert groups(empty, [*seeds, seed_of(tmp_path, "new.png", scene(9))])[:6] == found
    assert len(decoded) == 6


def test_workers_find_the_same(empty: Project, tmp_path: Path) -> None:
    seeds = [seed_of(tmp_path, f"{n}.png", scene(n % 70)) for n in range(100)]
    alone = groups(empty, seeds)
    other = Project.init(tmp_path / "other")
    assert groups(other, seeds, workers=2) == alone
    assert len(set(alone)) == 70


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(
    empty: Project, tmp_path: Path
) -> None:
    empty.workspace.layout.artifacts.mkdir(exist_ok=True)
    empty.workspace.layout.cache.write_text("a file where the folder would be")
    seeds = [seed_of(tmp_path, "a.png", scene(1)), seed_of(tmp_path, "b.png", darker(1))]
    assert len(set(groups(empty, seeds))) == 1


def test_progress_is_told_once_a_seed(empty: Project, tmp_path: Path) -> None:
    class Counting(SilentReporter):
        def progress(self, description: str, total: int):  # type: ignore[no-untyped-def]  # as in its base
            totals.append(total)
            return super().progress(description, total)

    totals: list[int] = []
    seeds = [seed_of(tmp_path, f"{n}.png", scene(n)) for n in range(3)]
    groups(empty, seeds, reporter=Counting())
    groups(empty, seeds, reporter=Counting())
    assert totals == [3]


def test_crossing_is_told_of_other_bytes_in_another_category_alone(
    empty: Project, tmp_path: Path
) -> None:
    seeds = [
        seed_of(tmp_path, "a.png", scene(1)),
        seed_of(tmp_path, "b.png", darker(1)),
        seed_of(tmp_path, "c.png", scene(2)),
        seed_of(tmp_path, "d.png", scene(2)),
        seed_of(tmp_path, "e.png", scene(3)),
        seed_of(tmp_path, "f.png", darker(3)),
    ]
    looks = look_at(empty.workspace, seeds, LocalEngine(1), SilentReporter())
    owners = ["cup", "bowl", "cup", "bowl", "cup", "cup"]
    near = find_near_duplicates(empty.workspace.modality, seeds, looks, owners)
    assert near.cluster.tolist() == [0, 0, 2, 2, 4, 4]
    assert (near.crossing[:2] <= 1).all()
    assert np.isinf(near.crossing[2:]).all()


def test_many_hundreds_of_like_pictures_are_one_group_without_a_list_of_all_pairs(
    empty: Project, tmp_path: Path
) -> None:
    seed = seed_of(tmp_path, "a.png", scene(1))
    looks = look_at(empty.workspace, [seed], LocalEngine(1), SilentReporter())
    near = find_near_duplicates(empty.workspace.modality, [seed] * 1500, looks)
    assert set(near.cluster.tolist()) == {0}
