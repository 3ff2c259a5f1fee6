"""The engine that uses this machine's processors."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from mlforge.errors import ConfigError, EngineError, MlforgeError

__all__ = ["LocalEngine", "Outcome"]

Item = TypeVar("Item")
Value = TypeVar("Value")


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

    Raises
    ------
    ConfigError
        If `workers` is below 1.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise ConfigError(
                f"--workers {workers}: at least 1", "leave it out for one a processor"
            )
        self.workers = workers or available_processors()

    def map(
        self, function: Callable[[Item], Value], items: Sequence[Item]
    ) -> Generator[Outcome[Value], None, None]:
        """Run `function` over `items` in processes, and give each outcome in the items' order.

        Items should be chunks of work that say where their data is rather than hold it. An
        `MlforgeError` is its item's outcome; any other exception is raised.

        Raises
        ------
        EngineError
            If a worker process is killed.
        """
        if self.workers == 1 or len(items) <= 1:
            yield from (_outcome(function, item) for item in items)
            return
        from joblib import Parallel, delayed
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        # One thread each: the workers are the parallelism, and more would fight for processors.
        os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
        pool = Parallel(
            n_jobs=min(self.workers, len(items)),
            return_as="generator",
            batch_size=1,
            pre_dispatch="2*n_jobs",
        )
        outcomes = pool(delayed(_in_worker)(function, item) for item in items)
        try:
            # Not `yield from`, which would close the pool before the warnings are off.
            for outcome in outcomes:  # noqa: UP028 - see above
                yield outcome
        except TerminatedWorkerError:
            raise EngineError(
                "a worker process ended without a word; too little memory is the usual cause",
                "run the same command again with --workers 1",
            ) from None
        finally:
            # Who stops early knows it; joblib's advice on that is for other callers.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                outcomes.close()

    def map_threads(
        self, function: Callable[[Item], Value], items: Sequence[Item]
    ) -> Iterator[Value]:
        """Run `function` over `items` in threads, and give each value in the items' order.

        For work that releases the interpreter's lock, such as fits: nothing is copied.
        """
        pool = ThreadPoolExecutor(min(self.workers, max(len(items), 1)))
        try:
            yield from pool.map(function, items)
        finally:
            # When interrupted, a fit cannot be stopped, but nobody waits for it.
            pool.shutdown(wait=False, cancel_futures=True)


def available_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_worker(function: Callable[[Item], Value], item: Item) -> Outcome[Value]:
    # The parent gets the terminal's Ctrl-C too, and ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return _outcome(function, item)


def _outcome(function: Callable[[Item], Value], item: Item) -> Outcome[Value]:
    try:
        return Outcome(function(item))
    except MlforgeError as error:
        return Outcome(error=error)
