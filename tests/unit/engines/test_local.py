from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import pytest

from mlforge.core.digest import digest_bytes
from mlforge.core.names import check_code
from mlforge.core.units import parse_size
from mlforge.engines.local import LocalEngine, Outcome, available_processors
from mlforge.errors import ConfigError, EngineError, SampleError

PATIENCE = 60
WORKERS = [1, 2, 4]


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, at most `PATIENCE` seconds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {PATIENCE} s for {what}")
        time.sleep(0.02)


class Watched(Sequence[bytes]):
    """Items that count how many of them were taken."""

    def __init__(self, n_items: int) -> None:
        self.items = [bytes([n]) for n in range(n_items)]
        self.taken = 0

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        return self.items[index]

    def __iter__(self) -> Iterator[bytes]:
        for item in self.items:
            self.taken += 1
            yield item


@pytest.mark.parametrize("workers", WORKERS)
def test_values_come_in_the_order_of_the_items_on_any_number_of_workers(workers: int) -> None:
    items = [bytes([n]) * 1000 for n in range(23)]
    outcomes = list(LocalEngine(workers).map(digest_bytes, items))
    assert [outcome.unwrap() for outcome in outcomes] == [digest_bytes(item) for item in items]


@pytest.mark.parametrize("workers", WORKERS)
def test_an_error_of_ours_is_the_outcome_of_its_item_alone(workers: int) -> None:
    outcomes = list(LocalEngine(workers).map(check_code, ["cup", "Not A Code", "mug"]))
    assert [outcome.value for outcome in outcomes] == ["cup", None, "mug"]
    error = outcomes[1].error
    assert isinstance(error, ConfigError)
    assert error.hint == "try 'not_a_code'"
    with pytest.raises(ConfigError):
        outcomes[1].unwrap()


@pytest.mark.parametrize("workers", WORKERS)
def test_any_other_error_is_raised(workers: int) -> None:
    with pytest.raises(ValueError, match="not a size"):
        list(LocalEngine(workers).map(parse_size, ["1", "much", "2"]))
    assert [o.unwrap() for o in LocalEngine(workers).map(parse_size, ["1", "2"])] == [1, 2]


@pytest.mark.parametrize("workers", WORKERS)
def test_no_items_give_no_outcomes(workers: int) -> None:
    assert list(LocalEngine(workers).map(parse_size, [])) == []


def test_one_worker_takes_an_item_when_its_outcome_is_asked_for() -> None:
    items = Watched(10)
    outcomes = LocalEngine(1).map(digest_bytes, items)
    assert items.taken == 0
    next(outcomes)
    assert items.taken == 1
    next(outcomes)
    assert items.taken == 2


def test_several_workers_start_when_the_first_outcome_is_asked_for() -> None:
    items = Watched(10)
    outcomes = LocalEngine(2).map(digest_bytes, items)
    assert items.taken == 0
    assert len(list(outcomes)) == items.taken == 10


def test_whoever_stops_asking_can_use_the_engine_again() -> None:
    engine = LocalEngine(2)
    items = [bytes([n]) for n in range(50)]
    outcomes = engine.map(digest_bytes, items)
    assert isinstance(outcomes, Iterator)
    next(outcomes)
    del outcomes
    assert [o.value for o in engine.map(digest_bytes, items)] == [digest_bytes(i) for i in items]


def test_stopping_at_once_leaves_no_thread_in_trouble() -> None:
    engine = LocalEngine(2)
    items = [bytes([n]) for n in range(50)]
    for _ in range(10):
        # The second time the processes are there already, and stopping races with feeding them.
        list(engine.map(digest_bytes, items[:4]))
        outcomes = engine.map(digest_bytes, items)
        next(outcomes)
        outcomes.close()


@pytest.mark.parametrize("workers", WORKERS)
def test_threads_give_values_in_the_order_of_the_items(workers: int) -> None:
    engine = LocalEngine(workers)
    assert list(engine.map_threads(lambda n: n * n, range(20))) == [n * n for n in range(20)]
    assert list(engine.map_threads(lambda n: n, [])) == []


def test_an_error_in_a_thread_is_raised() -> None:
    with pytest.raises(SampleError):
        list(LocalEngine(2).map_threads(fail, [1, 2, 3]))


def fail(item: int) -> int:
    raise SampleError(f"item {item}")


@pytest.mark.parametrize("workers", [0, -1])
def test_fewer_than_one_worker_is_refused(workers: int) -> None:
    with pytest.raises(ConfigError, match=f"--workers {workers}"):
        LocalEngine(workers)


def test_there_is_one_worker_a_processor_unless_said() -> None:
    assert LocalEngine().workers == available_processors() >= 1
    assert LocalEngine(3).workers == 3


def test_an_outcome_of_none_is_a_value() -> None:
    outcome: Outcome[None] = Outcome(None)
    assert outcome.unwrap() is None


INTERRUPTED = """
import os, signal, sys
from pathlib import Path
from mlforge.engines.local import LocalEngine

def work(folder):
    (Path(folder) / f"{os.getpid()}.worker").touch()
    while True:
        signal.pause()

if __name__ == "__main__":
    try:
        list(LocalEngine(2).map(work, [sys.argv[1]] * 8))
    except KeyboardInterrupt:
        sys.exit(130)
"""


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def members(group: int) -> list[int]:
    """Return the processes of a process group that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            process = int(entry.name)
            try:
                if os.getpgid(process) == group and is_running(process):
                    found.append(process)
            except ProcessLookupError:
                continue
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("whom", ["the whole group, as a terminal does", "the parent alone"])
def test_an_interrupted_map_ends_and_leaves_no_process(tmp_path: Path, whom: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED)
    options: dict[str, Any] = {"start_new_session": True, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, str(script), str(tmp_path)], **options) as parent:
        try:
            until(lambda: len(list(tmp_path.glob("*.worker"))) == 2, "two workers")
            if whom == "the parent alone":
                parent.send_signal(signal.SIGINT)
            else:
                os.killpg(parent.pid, signal.SIGINT)
            _, errors = parent.communicate(timeout=PATIENCE)
            assert parent.returncode == 130, errors.decode()
            workers = [int(path.stem) for path in tmp_path.glob("*.worker")]
            until(lambda: not any(is_running(worker) for worker in workers), "the workers' end")
            until(lambda: members(parent.pid) == [], "the end of everything")
        finally:
            for process in members(parent.pid):
                os.kill(process, signal.SIGKILL)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED)
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)], start_new_session=True
    ) as parent:
        try:
            until(lambda: len(list(tmp_path.glob("*.worker"))) == 2, "two workers")
            parent.kill()
            parent.wait(PATIENCE)
            until(lambda: members(parent.pid) == [], "the end of everything")
        finally:
            for process in members(parent.pid):
                os.kill(process, signal.SIGKILL)


def _die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_killed_worker_is_an_engine_error() -> None:
    with pytest.raises(EngineError, match=r"was killed \(SIGKILL\).*memory"):
        list(LocalEngine(2).map(_die, [1, 2, 3, 4]))


def _leave(number: int) -> int:
    os._exit(number)


def test_a_worker_that_ends_in_another_way_is_not_said_to_lack_memory() -> None:
    with pytest.raises(EngineError, match="exit code 7") as caught:
        list(LocalEngine(2).map(_leave, [7, 7]))
    assert "memory" not in str(caught.value)


IN_A_POOL = """
import multiprocessing, sys
from mlforge.core.digest import digest_bytes
from mlforge.core.reporting import SilentReporter
from mlforge.engines.local import LocalEngine

def work(_):
    reporter = SilentReporter()
    engine = LocalEngine(2, reporter)
    for _ in range(2):
        values = [outcome.unwrap() for outcome in engine.map(digest_bytes, [b"a", b"b"])]
    return values, reporter.warnings

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        values, warnings = pool.apply(work, (0,))
    assert values == [digest_bytes(b"a"), digest_bytes(b"b")]
    (warning,) = warnings
    assert "daemonic" in warning and "one worker instead of 2" in warning, warning
"""


def test_in_a_daemonic_process_one_worker_does_the_work(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(IN_A_POOL)
    subprocess.run([sys.executable, str(script)], check=True, timeout=PATIENCE)


WITHOUT_SEMAPHORES = """
from mlforge.core.digest import digest_bytes
from mlforge.core.reporting import SilentReporter
from mlforge.engines.local import LocalEngine, why_no_processes

reporter = SilentReporter()
outcomes = list(LocalEngine(2, reporter).map(digest_bytes, [b"a", b"b"]))
assert [outcome.unwrap() for outcome in outcomes] == [digest_bytes(b"a"), digest_bytes(b"b")]
(warning,) = reporter.warnings
assert "/dev/shm: Read-only file system" in warning, warning
assert why_no_processes() in warning
"""


def test_where_no_semaphore_can_be_made_one_worker_does_the_work() -> None:
    read_only = 'mount -t tmpfs -o ro none /dev/shm || exit 77; exec "$0" -c "$1"'
    for unshare in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        if shutil.which("unshare") is None:
            break
        command = [*unshare, "sh", "-c", read_only, sys.executable, WITHOUT_SEMAPHORES]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        if "mount" not in done.stderr and "unshare" not in done.stderr:
            assert done.returncode == 0, done.stderr
            return
    pytest.skip("nothing can be mounted here")


def _blas_threads(_: int) -> list[int]:
    from threadpoolctl import threadpool_info

    libraries = (one for one in threadpool_info() if one["user_api"] == "blas")
    return [library["num_threads"] for library in libraries]


def test_linear_algebra_keeps_to_one_thread_and_is_let_go_after() -> None:
    before = _blas_threads(0)
    seen = [
        threads
        for found in LocalEngine(2).map_threads(_blas_threads, range(4))
        for threads in found
    ]
    assert seen
    assert set(seen) == {1}
    assert _blas_threads(0) == before
