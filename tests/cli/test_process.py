"""What only a whole process shows: streams, signals, terminals, and what it imports."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mlforge import Project

Process = Callable[..., Any]
Draw = Callable[[str, int], bytes]

PATIENCE = 60
HEAVY = {
    "pydantic", "sklearn", "scipy", "xgboost", "joblib", "pandas", "albumentations", "skl2onnx",
    "jinja2", "httpx", "pyarrow", "onnx", "onnxmltools", "rich",
}  # fmt: skip


def _imported(process: Process, *arguments: str, cwd: Path) -> set[str]:
    result = process(*arguments, cwd=cwd, python=("-X", "importtime"))
    assert result.returncode == 0, result.stderr
    lines = result.stderr.decode().splitlines()
    return {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}


def test_predict_imports_nothing_that_trains(
    process: Process, trained: Project, draw: Draw
) -> None:
    (trained.root / "new.png").write_bytes(draw("circle", 9))
    imported = _imported(process, "predict", "new.png", cwd=trained.root)
    assert "onnxruntime" in imported
    assert not imported & HEAVY


def test_help_imports_no_library_but_typer(process: Process, tmp_path: Path) -> None:
    imported = _imported(process, "train", "--help", cwd=tmp_path)
    assert "typer" in imported
    assert not imported & {*HEAVY, "numpy", "cv2", "mlforge.project"}


def test_predict_reads_bytes_from_stdin(process: Process, trained: Project, draw: Draw) -> None:
    result = process("predict", "-", cwd=trained.root, stdin=draw("triangle", 9))
    assert result.returncode == 0
    assert result.stdout.startswith(b"triangle (triangle): ")
    torn = process("predict", "-", cwd=trained.root, stdin=b"")
    assert torn.returncode == 3


def test_a_file_name_that_is_not_text_goes_through(
    process: Process, trained: Project, draw: Draw
) -> None:
    import json

    name = os.fsdecode(b"\xff\xe9.png")
    (trained.root / name).write_bytes(draw("circle", 9))
    result = process("predict", name, "--json", cwd=trained.root)
    assert json.loads(result.stdout)["file"] == name
    told = process("predict", name, name, cwd=trained.root)
    assert b"\\udcff\\udce9.png" in told.stdout


def test_output_survives_a_stdout_that_takes_ascii_only(
    process: Process, trained: Project, draw: Draw
) -> None:
    import json

    (trained.root / "é.png").write_bytes(draw("circle", 9))
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    told = process("predict", "é.png", "é.png", cwd=trained.root, env=ascii_only)
    assert told.returncode == 0
    assert b"\\xe9.png" in told.stdout
    result = process("predict", "é.png", "--json", cwd=trained.root, env=ascii_only)
    assert json.loads(result.stdout)["file"] == "é.png"


def test_a_reader_that_stops_early_ends_it_quietly(trained: Project, draw: Draw) -> None:
    (trained.root / "new.png").write_bytes(draw("circle", 9))
    arguments = [sys.executable, "-m", "mlforge", "predict", *["new.png"] * 1000, "--json"]
    with subprocess.Popen(
        arguments, cwd=trained.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.stdout.close()
        _, err = child.communicate(timeout=PATIENCE)
    assert err == b""
    assert child.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [("models", "list"), ("predict", "new.png", "--json")])
def test_an_output_that_takes_nothing_is_told_in_one_line(
    trained: Project, draw: Draw, arguments: tuple[str, ...], unbuffered: str
) -> None:
    (trained.root / "new.png").write_bytes(draw("circle", 9))
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mlforge", *arguments],
            cwd=trained.root,
            stdout=full,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
        )
    assert done.returncode == 3
    assert done.stderr.count(b"\n") == 1
    assert b"No space left on device" in done.stderr


def test_without_an_output_there_is_an_exit_code(trained: Project) -> None:
    closed = f'"{sys.executable}" -m mlforge models list >&-'
    done = subprocess.run(
        ["bash", "-c", closed], cwd=trained.root, stderr=subprocess.PIPE, timeout=PATIENCE
    )
    assert done.returncode == 3
    assert done.stderr.startswith(b"error: stdout: ")
    assert done.stderr.count(b"\n") == 1


def test_without_a_stream_for_messages_a_command_does_its_work(
    trained: Project, draw: Draw
) -> None:
    (trained.root / "new.png").write_bytes(draw("circle", 9))
    closed = f'"{sys.executable}" -m mlforge predict new.png missing.png --json 2>&-'
    done = subprocess.run(
        ["bash", "-c", closed], cwd=trained.root, stdout=subprocess.PIPE, timeout=PATIENCE
    )
    assert done.returncode == 10
    assert [line[:10] for line in done.stdout.splitlines()] == [b'{"schema":'] * 2


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 143), (signal.SIGINT, 130)]
)
def test_a_signal_ends_generation_with_its_workers_and_leaves_no_half_written_file(
    sent: signal.Signals, code: int, project: Project
) -> None:
    arguments = ("samples", "generate", "--count", "20000", "--workers", "2", "--json")
    with _started(project.root, *arguments) as child:
        deadline = time.monotonic() + PATIENCE
        while not list(project.root.glob("categories/*/samples/sample_*")):
            assert child.poll() is None
            assert time.monotonic() < deadline
        child.send_signal(sent)
        out, _ = child.communicate(timeout=PATIENCE)
    assert child.returncode == code
    assert f'"exit": {code}'.encode() in out
    assert _living(child.pid) == []
    assert not list(project.root.rglob(".mlforge-tmp-*"))
    assert Project(project.root).samples()[0].state == "interrupted"


LOST = """
import os, signal, sys, time
from mlforge.cli import main

class Ending:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGNAL)
        [time.monotonic() for _ in range(100)]

def invoke(arguments):
    Ending()
    time.sleep(60)

main._invoke = invoke
sys.argv = ["mlforge"]
main.main()
"""


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_is_not_lost_where_python_drops_what_it_raises(
    sent: signal.Signals, code: int
) -> None:
    script = LOST.replace("SIGNAL", sent.name)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, timeout=PATIENCE / 2
    )
    assert done.returncode == code
    assert b"everything finished so far is kept" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_training_although_fits_run_in_threads(
    sent: signal.Signals, code: int, generated: Project
) -> None:
    many = "random_forest.n_estimators=5000"
    with _started(generated.root, "train", "--param", many, "--verbose") as child:
        assert child.stderr is not None
        for line in child.stderr:
            if b"extracting features" in line:
                break
        child.send_signal(sent)
        _, err = child.communicate(timeout=PATIENCE)
    assert child.returncode == code, err.decode()
    assert b"everything finished so far is kept" in err
    assert b"Traceback" not in err
    assert not list((generated.root / "artifacts/models").glob("*"))


@contextmanager
def _started(cwd: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start mlforge; where it has not ended by the end of the block, its group is killed."""
    with subprocess.Popen(
        [sys.executable, "-m", "mlforge", *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        try:
            yield child
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)


def _living(session: int) -> list[str]:
    """Return the processes of a session that have not ended.

    The standard library's tracker of shared memory is none of them: it ends once it has seen that
    all others have.
    """
    living = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of_session = path.read_text().rpartition(")")[2].split()[:4]
            command = path.with_name("cmdline").read_text()
        except OSError:
            continue
        # One that is ending has given up its memory, and its command line with it.
        ended = state in "ZX" or not command
        if int(of_session) == session and not ended and "resource_tracker" not in command:
            living.append(f"{state} {command}")
    return living


def _at_terminal(
    cwd: Path, *arguments: str, typed: bytes = b"", columns: int = 80, **env: str
) -> tuple[int, str]:
    """Run with a terminal as all three streams; return the exit code and what it showed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "mlforge", *arguments],
        cwd=cwd,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": str(columns), **env},
    ) as child:
        os.close(theirs)
        try:
            if typed:
                os.write(ours, typed)
            shown = _sent(ours)
            return child.wait(PATIENCE), shown.decode()
        finally:
            child.kill()
            os.close(ours)


def _sent(terminal: int) -> bytes:
    """Return what comes until the other side closes, or keeps silent for too long."""
    parts = []
    while select.select([terminal], [], [], PATIENCE)[0]:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux says so where the other side has closed
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts)


def test_a_terminal_gets_colour_unless_it_is_not_wanted(trained: Project) -> None:
    _, coloured = _at_terminal(trained.root, "categories", "list")
    assert "\x1b[1m" in coloured
    assert "───" in coloured
    for code, shown in (
        _at_terminal(trained.root, "categories", "list", NO_COLOR="1"),
        _at_terminal(trained.root, "categories", "list", "--quiet"),
        _at_terminal(trained.root, "categories", "list", TERM="dumb"),
    ):
        assert code == 0
        assert "\x1b" not in shown
        assert "circle" in shown


def test_a_terminal_shows_the_matrix_where_it_is_wide_enough(trained: Project) -> None:
    _, wide = _at_terminal(trained.root, "models", "show", "random_forest-0001")
    assert "predicted (columns)" in wide
    _, narrow = _at_terminal(trained.root, "models", "show", "random_forest-0001", columns=24)
    assert "predicted (columns)" not in narrow


def test_a_missing_argument_is_asked_for_at_a_terminal(trained: Project) -> None:
    code, shown = _at_terminal(trained.root, "categories", "show", typed=b"circle\n", NO_COLOR="1")
    assert code == 0
    assert '"category_code": "circle"' in shown


@pytest.mark.parametrize(("answer", "gone"), [(b"y\n", True), (b"n\n", False)])
def test_removing_asks_first_at_a_terminal(answer: bytes, gone: bool, project: Project) -> None:
    code, shown = _at_terminal(project.root, "categories", "remove", "circle", typed=answer)
    assert code == 0
    assert "Remove the category circle?" in shown
    assert (project.root / "categories" / "circle").exists() != gone


def test_predicting_leaves_nothing_in_the_home_folder(
    process: Process, trained: Project, draw: Draw, tmp_path: Path
) -> None:
    """ONNX Runtime would keep there what it reports of its use."""
    home = tmp_path / "home"
    home.mkdir()
    (trained.root / "new.png").write_bytes(draw("circle", 9))
    result = process("predict", "new.png", cwd=trained.root, env={"HOME": str(home)})
    assert result.returncode == 0
    assert list(home.rglob("*")) == []
