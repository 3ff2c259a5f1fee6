"""The one place where errors become a message, a hint and an exit code."""

from __future__ import annotations

import atexit
import errno
import io
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

import typer
from typer.main import get_command

from mlforge.cli.app import make_app
from mlforge.cli.output import is_rich, message, write_json
from mlforge.errors import EngineError, MlforgeError, StorageError

__all__ = ["main", "run"]

BUG = 70
INTERRUPTED = 130
PIPE_CLOSED = 141
TERMINATED = 143
_MOMENT = 0.01  # seconds
_PACKAGE = f"{Path(__file__).resolve().parents[1]}{os.sep}"


class _Terminated(BaseException):
    """SIGTERM or SIGHUP, as an exception: whatever cleans up on the way out does so."""


@dataclass(frozen=True)
class _Edge:
    """How errors are told.

    Attributes
    ----------
    as_json
        As a document on stdout.
    debug
        With a traceback on stderr.
    """

    as_json: bool
    debug: bool

    @classmethod
    def of(cls, arguments: Sequence[str]) -> _Edge:
        """Read the flags without parsing: parsing itself may be what fails."""
        options = set(arguments[: arguments.index("--")] if "--" in arguments else arguments)
        return cls("--json" in options, "--debug" in options)

    def tell(self, error: BaseException, text: str, hint: str, code: int) -> int:
        """Tell an error and return its exit code."""
        if self.debug:
            import traceback

            traceback.print_exception(error)
        if self.as_json:
            document = {"schema": "mlforge.error/1", "message": text, "hint": hint, "exit": code}
            write_json(document)
        else:
            message("error", text)
            if hint:
                message("hint", hint)
        return code

    def tell_end(self, code: int) -> int:
        """Tell of an end from outside; it is no error, so there is no traceback."""
        how = "interrupted" if code == INTERRUPTED else "terminated"
        return _Edge(self.as_json, debug=False).tell(
            KeyboardInterrupt(),
            f"{how}; everything finished so far is kept",
            "the same command goes on",
            code,
        )


def main() -> NoReturn:
    """Run mlforge on the process's arguments and leave with the exit code."""
    if sys.stderr is None:
        # Whoever closed it wants no messages.
        sys.stderr = io.StringIO()
    if sys.stdout is None:
        message("error", f"stdout: {os.strerror(errno.EBADF)}")
        sys.exit(StorageError.exit_code)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, _on_sigterm)
    # Under nohup it is ignored, and stays so.
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _on_sigterm)
    signal.signal(signal.SIGINT, _on_sigint)
    code = run(sys.argv[1:])
    if code in {INTERRUPTED, TERMINATED}:
        _leave_at_once(code)
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    edge = _Edge.of(arguments)
    told = False
    try:
        try:
            code = _invoke(arguments)
            sys.stdout.flush()
        except BaseException as error:  # noqa: BLE001 - the one edge: whatever it is, it is told
            code = _tell(edge, error)
            told = not edge.as_json
        sys.stdout.flush()
    except BrokenPipeError:
        _close_stdout()
        return PIPE_CLOSED
    # What an error that is told has cannot be told there either.
    except OSError as error:
        _close_stdout()
        if told:
            return code
        message("error", f"stdout: {os.strerror(error.errno or errno.EIO)}")
        return StorageError.exit_code
    return code


def _invoke(arguments: Sequence[str]) -> int:
    command = get_command(make_app(rich_help=is_rich(sys.stdout)))
    try:
        result = command.main(list(arguments), prog_name="mlforge", standalone_mode=False)
    except SystemExit as error:
        # Typer's own way to leave when nobody reads its output any more.
        if isinstance(error.__context__, BrokenPipeError):
            raise error.__context__ from None
        return error.code if isinstance(error.code, int) else 0
    if result == INTERRUPTED:
        raise KeyboardInterrupt
    return result if isinstance(result, int) else 0


def _tell(edge: _Edge, error: BaseException) -> int:
    """Tell an error in the way of its kind and return its exit code."""
    end = _end_behind(error)
    if end is not None:
        return edge.tell_end(end)
    match error:
        case MlforgeError():
            return edge.tell(error, error.message, error.hint, error.exit_code)
        case typer.TyperException():
            return _tell_usage(edge, error)
        case BrokenPipeError():
            raise error
        case OSError():
            return _tell_os_error(edge, error)
        case MemoryError():
            hint = "use fewer workers: --workers 1"
            return edge.tell(error, "not enough memory", hint, EngineError.exit_code)
        case Exception():
            return _tell_bug(edge, error)
    raise error


def _end_behind(error: BaseException | None) -> int | None:
    """Return the exit code of a signal that led to `error`; None where none did.

    What a signal interrupts may fail at cleaning up, and then its error hides the signal's.
    """
    while error is not None:
        if isinstance(error, KeyboardInterrupt | typer.Abort):
            return INTERRUPTED
        if isinstance(error, _Terminated):
            return TERMINATED
        error = error.__cause__ or error.__context__
    return None


def _tell_usage(edge: _Edge, error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    text = error.format_message()
    # Typer raises this for a group without a command; its message is the help.
    if type(error).__name__ == "NoArgsIsHelpError" and not edge.as_json:
        if text:
            sys.stderr.write(f"{text}\n")
        return error.exit_code
    path = context.command_path if context is not None else "mlforge"
    if type(error).__name__ == "NoArgsIsHelpError":
        text = "missing command"
    return edge.tell(error, text[:1].lower() + text[1:], f"{path} --help", error.exit_code)


def _tell_os_error(edge: _Edge, error: OSError) -> int:
    what = os.strerror(error.errno) if error.errno else str(error)
    text = f"{os.fsdecode(error.filename)}: {what}" if error.filename else what
    # Those of files are told with the file; what is left is the output.
    hint = (
        "check that the file or folder is there and that you may use it" if error.filename else ""
    )
    return edge.tell(error, text, hint, StorageError.exit_code)


def _tell_bug(edge: _Edge, error: Exception) -> int:
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(_PACKAGE)]
    where = ""
    if ours or frames:
        frame = (ours or frames)[-1]
        name = Path(frame.filename).name
        file = frame.filename.removeprefix(_PACKAGE) if ours else name
        where = f" ({file}, line {frame.lineno}, in {frame.name})"
    text = f"a bug in mlforge: {type(error).__name__}: {error}{where}"
    hint = "please report what this prints" if edge.debug else "run again with --debug"
    return edge.tell(error, text, hint, BUG)


def _on_sigint(_signum: int, _frame: FrameType | None) -> NoReturn:
    # A second one must not interrupt the cleaning up, nor what that starts.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.unraisablehook = _on_lost
    raise KeyboardInterrupt


def _on_sigterm(signum: int, _frame: FrameType | None) -> NoReturn:
    # A second one must not interrupt the cleaning up.
    signal.signal(signum, signal.SIG_IGN)
    sys.unraisablehook = _on_lost
    raise _Terminated


def _on_lost(lost: sys.UnraisableHookArgs) -> None:
    """Raise a signal's exception again that reached an object's end, where Python drops it.

    Nothing is told: an object that was interrupted in its constructor cannot end well.
    """
    end = lost.exc_value
    if isinstance(end, KeyboardInterrupt | _Terminated):

        def again(_signum: int, _frame: FrameType | None) -> NoReturn:
            raise end

        signal.signal(signal.SIGALRM, again)
        signal.setitimer(signal.ITIMER_REAL, _MOMENT)


def _close_stdout() -> None:
    # The interpreter flushes stdout once more on its way out, which would fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _leave_at_once(code: int) -> NoReturn:
    """End the process without waiting for fits that still run in threads."""
    if "multiprocessing" in sys.modules:
        import multiprocessing

        for child in multiprocessing.active_children():
            child.terminate()
            child.join(1)
    # What libraries remove when the process ends, such as folders of shared memory; leaving in the
    # usual way would do this too, and then wait for the threads.
    atexit._run_exitfuncs()  # noqa: SLF001 - nothing public does it
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            continue
    os._exit(code)
