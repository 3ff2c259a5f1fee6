"""The engine that uses this machine's processors."""

from __future__ import annotations

import errno
import os
import re
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from threading import Thread
from typing import Generic, TypeVar

from mlforge.core.import_path import child_environment, inherited
from mlforge.core.reporting import Reporter
from mlforge.errors import ConfigError, EngineError, MlforgeError

__all__ = ["LocalEngine", "Outcome", "why_no_processes"]

Item = TypeVar("Item")
Value = TypeVar("Value")

_PATIENCE = 1.0  # seconds
_MAX_WORKERS = 1_024


@dataclass(frozen=True)
class Outcome(Generic[Value]):
    """What became of one item: a value, or the error that it met."""

    value: Value | None = None
    error: MlforgeError | None = None

    def unwrap(self) -> Value:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # None is a value where Value allows it


class LocalEngine:
    """Runs functions over items, in order, on as many workers as asked for.

    Results depend on neither the number of workers nor their timing.

    Parameters
    ----------
    workers
        How many run side by side; None for one a processor.
    reporter
        Is warned where several workers are asked for and this machine allows one.

    Raises
    ------
    ConfigError
        If `workers` is below 1, or more than any machine has use for.
    """

    def __init__(self, workers: int | None = None, reporter: Reporter | None = None) -> None:
        if workers is not None and workers < 1:
            raise ConfigError(
                f"--workers {workers}: at least 1", "leave it out for one a processor"
            )
        if workers is not None and workers > _MAX_WORKERS:
            raise ConfigError(
                f"--workers {workers}: at most {_MAX_WORKERS}", "leave it out for one a processor"
            )
        self.workers = workers or available_processors()
        self._reporter = reporter

    def map(
        self, function: Callable[[Item], Value], items: Iterable[Item]
    ) -> Generator[Outcome[Value], None, None]:
        """Run `function` over `items` in processes, and give each outcome in the items' order.

        Items should be chunks of work that say where their data is rather than hold it. They are
        taken as workers become free, a few ahead, so that there may be more than memory holds. An
        `MlforgeError` is its item's outcome; any other exception is raised. Where processes cannot
        be started, the items are worked through in this one.

        Raises
        ------
        EngineError
            If a worker process ends before its work does.
        """
        remaining = iter(items)
        first = list(islice(remaining, self.workers)) if self.workers > 1 else []
        remaining = chain(first, remaining)
        pool = self._pool(len(first)) if len(first) > 1 else None
        if pool is None:
            yield from (_outcome(function, item) for item in remaining)
            return
        waiting: deque[Future[Outcome[Value]]] = deque()
        try:
            while True:
                for item in islice(remaining, pool.capacity - len(waiting)):
                    waiting.append(pool.submit(function, item))
                if not waiting:
                    return
                yield waiting.popleft().result()
        except BrokenExecutor as error:
            waiting.clear()
            raise _ended(error) from None
        finally:
            if waiting:
                pool.stop(waiting)

    def _pool(self, workers: int) -> _Pool | None:
        """Return worker processes; None, and a warning, where this machine allows none."""
        try:
            return _Pool(workers)
        except _NoProcessesError as error:
            if self._reporter is not None:
                self._reporter.warn(f"one worker instead of {self.workers}: {error}")
            # Said once, and not tried again.
            self.workers = 1
            return None

    def map_threads(
        self, function: Callable[[Item], Value], items: Sequence[Item]
    ) -> Iterator[Value]:
        """Run `function` over `items` in threads, and give each value in the items' order.

        For work that releases the interpreter's lock, such as fits: nothing is copied. Linear
        algebra keeps to one thread meanwhile: more would fight for processors, and its sums would
        have other last bits.
        """
        from threadpoolctl import threadpool_limits

        pool = ThreadPoolExecutor(min(self.workers, max(len(items), 1)))
        try:
            with threadpool_limits(1):
                yield from pool.map(function, items)
        finally:
            # When interrupted, a fit cannot be stopped, but nobody waits for it.
            pool.shutdown(wait=False, cancel_futures=True)


def available_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _NoProcessesError(Exception):
    """Worker processes cannot be started on this machine, or by this process."""


def why_no_processes() -> str:
    """Return why no worker processes can be started here; empty where they can."""
    try:
        with _starting():
            from joblib.externals.loky.backend.synchronize import Lock

            # What the queues between processes are made of.
            Lock()
    except _NoProcessesError as error:
        return str(error)
    return ""


@contextmanager
def _starting() -> Iterator[None]:
    """Start what the first worker needs, and tell why where that cannot be.

    Raises
    ------
    _NoProcessesError
        If the processes' queues cannot be made.
    """
    import multiprocessing

    if multiprocessing.current_process().daemon:
        raise _NoProcessesError(
            "a daemonic process (of a pool or a task queue) may start no others"
        )
    try:
        from multiprocessing import resource_tracker

        from joblib.externals.loky.backend import resource_tracker as loky_tracker

        with inherited():
            resource_tracker.ensure_running()
            loky_tracker.ensure_running()
        yield
    except ImportError:
        raise _NoProcessesError("this Python has no semaphores") from None
    except OSError as error:
        reason = os.strerror(error.errno or errno.EIO)
        raise _NoProcessesError(f"no semaphore can be made in /dev/shm: {reason}") from None


def _ended(error: BrokenExecutor) -> EngineError:
    """Return what is known of the worker processes that ended, and nothing that is not."""
    ends = re.findall(r"([A-Z]+)\((-?\d+)\)", str(error).partition("exit codes of the workers")[2])
    again = "run the same command again with --workers 1"
    if any(name == "SIGKILL" for name, _ in ends):
        text = "a worker process was killed (SIGKILL), as systems do where memory runs out"
        return EngineError(text, again)
    how = ", ".join(
        f"by the signal {name}" if code.startswith("-") else f"with the exit code {code}"
        for name, code in dict.fromkeys(ends)
    )
    return EngineError(
        f"a worker process ended before its work did{', ' if how else ''}{how}",
        f"{again}: then whatever it meets is told",
    )


class _Pool:
    """Worker processes, kept for the next map, that a Ctrl-C reaches through their parent only."""

    def __init__(self, workers: int) -> None:
        # Starting the trackers lets interrupts through again, so they come first.
        with _starting(), _interrupts_held():
            from joblib.externals.loky import get_reusable_executor

            self._executor = get_reusable_executor(
                workers,
                # One thread each: the workers are the parallelism; more would fight for processors.
                env={**child_environment(), "OPENCV_FOR_THREADS_NUM": "1"},
                initializer=_follow,
                initargs=(os.getpid(),),
            )
        # So much the processes' own queue takes. What waits beyond it could not be stopped:
        # killing the workers would leave the thread that feeds them without its next task.
        self.capacity = 2 * workers

    def submit(self, function: Callable[[Item], Value], item: Item) -> Future[Outcome[Value]]:
        """Start one task; the first starts the processes."""
        with _interrupts_held():
            return self._executor.submit(_outcome, function, item)  # type: ignore[no-any-return]

    def stop(self, tasks: Iterable[Future[Outcome[Value]]]) -> None:
        """End the processes, whatever they are doing."""
        dropped = [task for task in tasks if task.cancel()]
        # Until the feeding thread has seen it: see `capacity`.
        wait(dropped, timeout=_PATIENCE)
        self._executor.shutdown(kill_workers=True)


def _follow(parent: int) -> None:
    """Let this worker end soon after its parent, also where that was killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold a Ctrl-C back for a moment, and from the processes that are started in it for good.

    The terminal sends it to the whole group, and workers would print tracebacks where their parent
    ends them in good order. What is blocked when a process starts stays blocked in it.
    """
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _outcome(function: Callable[[Item], Value], item: Item) -> Outcome[Value]:
    try:
        return Outcome(function(item))
    except MlforgeError as error:
        return Outcome(error=error)
