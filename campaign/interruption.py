"""Kills, broken disks and signals: nothing is torn, lost or doubled, and the next run finishes."""

from __future__ import annotations

import errno
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from campaign._disk import Disk
from campaign._projects import GENERATE, Projects, evidence, temporaries, torn
from campaign._trials import Figure, Outcome, forked, places
from mlforge.cli.main import run

__all__ = ["FIGURES"]

_ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT, errno.EMFILE)
_TYPED = {2, 3, 5, 6}
_PATIENCE = 2.0  # seconds
# Of random kills, so many are of a real command with two workers, and its whole group.
_REAL_EVERY = 25
_SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143}


@dataclass(frozen=True)
class _Action:
    """A command that writes, and the project that it is run in."""

    name: str
    before: Path
    words: tuple[str, ...]

    def do(self, root: Path) -> None:
        """Run the command in this process, and leave with its exit code if that is not 0."""
        code = run([*self.words, "--project", str(root)])
        if code:
            raise SystemExit(code)


def _actions(projects: Projects) -> list[_Action]:
    generate = ("samples", "generate", "--count", str(GENERATE.count), "--workers", "1")
    return [
        _Action("generate", projects.seeded, generate),
        _Action("train", projects.generated, ("train", "--workers", "1")),
        _Action("promote", projects.trained, ("models", "promote", "logistic_regression-0002")),
    ]


def _n_operations(action: _Action, root: Path) -> int:
    def count() -> None:
        disk = Disk()
        disk.install()
        action.do(root)
        print(disk.count)

    ended = forked(count)
    assert ended.code == 0, ended.output
    return int(ended.output.split()[-1])


def _finished(action: _Action, root: Path) -> str:
    """Return what `root` holds after another run, or what is wrong with it."""

    def finish() -> None:
        problems = torn(root)
        action.do(root)
        problems += torn(root) + temporaries(root)
        print("; ".join(problems) or evidence(root))

    ended = forked(finish)
    return ended.output.split("\n")[-2] if ended.code == 0 else f"{ended.code}: {ended.output}"


def _whole(action: _Action, projects: Projects) -> str:
    """Return what an uninterrupted run leaves."""
    return _finished(action, projects.copy(action.before))


def kill_at_every_operation(n_trials: int, folder: Path) -> Outcome:
    """Figure 1."""
    projects, outcome, counts = Projects(folder), Outcome(), []
    for action in _actions(projects):
        expected = _whole(action, projects)
        total = _n_operations(action, projects.copy(action.before))
        counts.append(f"{action.name} {total}")
        for n in places(total, n_trials):
            root = projects.copy(action.before)

            def doomed(n: int = n, root: Path = root, action: _Action = action) -> None:
                Disk(n).install()
                action.do(root)

            ended = forked(doomed)
            found = _finished(action, root)
            outcome.n_trials += 1
            where = f"{action.name} killed at {n}"
            outcome.hold(ended.code in {0, -signal.SIGKILL}, f"{where}: exit {ended.code}")
            outcome.hold(found == expected, f"{where}: {found[:200]}")
    outcome.measured = f"operations: {', '.join(counts)}"
    return outcome


def kill_at_random(n_trials: int, folder: Path) -> Outcome:
    """Figure 2."""
    projects, outcome = Projects(folder), Outcome()
    action = _actions(projects)[0]
    expected = _whole(action, projects)
    draws = random.Random(0)
    start = time.perf_counter()
    root = projects.copy(action.before)
    ended = forked(lambda: action.do(root))
    outcome.hold(ended.code == 0, f"not killed: exit {ended.code}: {ended.output[-300:]}")
    usual = time.perf_counter() - start
    n_killed = 0
    for number in range(n_trials):
        root = projects.copy(action.before)
        if number % _REAL_EVERY == _REAL_EVERY - 1:
            n_killed += _kill_group(root, draws.uniform(0.3, 2.0))
        else:
            ended = forked(partial(action.do, root), draws.uniform(0, usual))
            n_killed += ended.code == -signal.SIGKILL
        found = _finished(action, root)
        outcome.n_trials += 1
        outcome.hold(found == expected, f"trial {number}: {found[:200]}")
    outcome.measured = f"{n_killed} ended before they had finished"
    return outcome


def _kill_group(root: Path, delay: float) -> bool:
    with _started(root, "samples", "generate", "--count", "6", "--workers", "2") as process:
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait(30) != 0


def fail_every_operation(n_trials: int, folder: Path) -> Outcome:
    """Figure 3."""
    projects, outcome = Projects(folder), Outcome()
    errors = itertools.cycle(_ERRORS)
    for action in _actions(projects):
        expected = _whole(action, projects)
        total = _n_operations(action, projects.copy(action.before))
        for n in places(total, n_trials):
            for sticky in (False, True):
                number = next(errors)
                root = projects.copy(action.before)

                def failing(
                    root: Path = root,
                    disk: tuple[int, int, bool] = (n, number, sticky),
                    action: _Action = action,
                ) -> None:
                    Disk(disk[0], disk[1], sticky=disk[2]).install()
                    action.do(root)

                ended = forked(failing)
                found = _finished(action, root)
                outcome.n_trials += 1
                kind = f"{errno.errorcode[number]}{' from there on' if sticky else ''}"
                where = f"{action.name}, {kind} at {n}"
                typed = ended.code in {0, *_TYPED} and "Traceback" not in ended.output
                outcome.hold(typed, f"{where}: exit {ended.code}: {ended.output[-300:]}")
                outcome.hold(found == expected, f"{where}: {found[:200]}")
    return outcome


def signal_at_random(n_trials: int, folder: Path) -> Outcome:
    """Figure 6."""
    projects, outcome = Projects(folder), Outcome()
    draws = random.Random(0)
    slowest, n_hit = 0.0, 0
    commands = [
        (projects.seeded, ("samples", "generate", "--count", "400", "--workers", "2")),
        (projects.generated, ("train", "--model", "all", "--force")),
        (projects.trained, ("batch", "categories", "--output", "out", "--workers", "2")),
    ]
    for number in range(n_trials):
        before, words = commands[number % len(commands)]
        sent = draws.choice(list(_SIGNALS))
        root = projects.copy(before)
        with _started(root, *words) as process:
            try:
                process.wait(draws.uniform(0.3, 2.5))
            except subprocess.TimeoutExpired:
                n_hit += 1
            start = time.perf_counter()
            _send(process.pid, sent)
            try:
                code = process.wait(30)
            except subprocess.TimeoutExpired:
                code = None
            taken = time.perf_counter() - start
            orphans = list(_members(process.pid))
            _send(process.pid, signal.SIGKILL)
        slowest = max(slowest, taken)
        outcome.n_trials += 1
        where = f"{words[0]} and {sent.name}"
        # Before mlforge has begun, the signal itself ends the process.
        allowed = {0, _SIGNALS[sent], -sent}
        outcome.hold(code in allowed, f"{where}: exit {code}")
        outcome.hold(taken <= _PATIENCE, f"{where}: ended after {taken:.1f} s")
        outcome.hold(not orphans, f"{where}: left {orphans}")
        outcome.hold(not temporaries(root), f"{where}: left {temporaries(root)}")
    outcome.measured = f"{n_hit} were still running; slowest end {slowest:.2f} s"
    return outcome


def _started(root: Path, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "mlforge", *words, "--project", str(root)],
        cwd=root,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _send(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def _members(group: int) -> Iterator[int]:
    """Yield the processes of a group that still run, a moment after its leader has ended."""
    deadline = time.perf_counter() + _PATIENCE
    running = True
    while running and time.perf_counter() < deadline:
        running = any(True for _ in _running(group))
    yield from _running(group)


def _running(group: int) -> Iterator[int]:
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(state[2]) == group and state[0] not in "ZX":
            yield int(entry.name)


FIGURES = (
    Figure(
        1, "killed at every operation of generate, train, promote", 10_000, kill_at_every_operation
    ),
    Figure(2, "killed at random: generate", 500, kill_at_random),
    Figure(3, "each operation fails, once and from there on", 10_000, fail_every_operation),
    Figure(6, "SIGINT or SIGTERM at random", 200, signal_at_random),
)
