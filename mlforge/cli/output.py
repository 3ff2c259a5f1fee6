"""Where results and messages go: documents or blocks to stdout, warnings and bars to stderr."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from mlforge.cli.blocks import Block
    from mlforge.core.reporting import Advance

__all__ = ["ConsoleReporter", "Output", "is_rich", "message", "write_json"]

_LABEL_COLOURS = {"error": "31", "warning": "33", "hint": "36"}


def is_rich(stream: TextIO) -> bool:
    """Return whether `stream` is a terminal that takes colour and bars."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def write_json(document: Mapping[str, Any], *, indent: int | None = 2) -> None:
    """Print one JSON document to stdout, in whatever encoding stdout has."""
    text = json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        # A lone surrogate (a file name that is not UTF-8) or an ASCII-only stdout.
        text = json.dumps(document, indent=indent, allow_nan=False)
    sys.stdout.write(f"{text}\n")


def message(label: str, text: str) -> None:
    """Print a labelled message to stderr; its lines are kept, other control characters shown."""
    from mlforge.core.names import printable

    shown = "\n".join(printable(line) for line in f"{label}: {text}".split("\n"))
    if is_rich(sys.stderr):
        import shutil
        import textwrap

        width = shutil.get_terminal_size().columns
        lines = [
            textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)
            for line in shown.split("\n")
        ]
        colour = _LABEL_COLOURS.get(label, "2")
        shown = "\n".join(lines).replace(label, f"\x1b[{colour}m{label}\x1b[0m", 1)
    sys.stderr.write(f"{shown}\n")


@dataclass(frozen=True)
class Output:
    """Prints a command's result.

    Attributes
    ----------
    as_json
        One JSON document instead of blocks.
    quiet
        Plain text even on a terminal.
    """

    as_json: bool = False
    quiet: bool = False

    @property
    def rich(self) -> bool:
        """Whether blocks are drawn with colour and boxes."""
        return not self.quiet and is_rich(sys.stdout)

    @property
    def width(self) -> int | None:
        """Columns of the terminal; None where stdout is not one."""
        if not self.rich:
            return None
        import shutil

        return shutil.get_terminal_size().columns

    def show(self, document: Mapping[str, Any], blocks: Sequence[Block]) -> None:
        """Print a result: the document with ``--json``, else the blocks."""
        if self.as_json:
            write_json(document)
        else:
            self.blocks(blocks)

    def blocks(self, blocks: Sequence[Block]) -> None:
        """Print blocks, drawn or plain."""
        if self.rich:
            from mlforge.cli.terminal import draw

            draw(blocks)
        else:
            from mlforge.cli.plain import plain

            sys.stdout.write("".join(f"{line}\n" for line in plain(blocks)))


class ConsoleReporter:
    """Shows warnings, and on a terminal progress, on stderr.

    Parameters
    ----------
    quiet
        Drop warnings, bars and log lines.
    verbose
        Show log lines.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self._quiet = quiet
        self._verbose = verbose and not quiet

    def warn(self, message: str) -> None:
        """Show a warning."""
        if not self._quiet:
            _message("warning", message)

    def info(self, message: str) -> None:
        """Show a log line where they are asked for."""
        if self._verbose:
            _message("info", message)

    @contextmanager
    def progress(self, description: str, total: int) -> Iterator[Advance]:
        """Show a bar on a terminal; with ``--verbose`` say how long it took."""
        start = time.perf_counter()
        if total > 0 and not self._quiet and is_rich(sys.stderr):
            from mlforge.cli.terminal import bar

            with bar(description, total) as advance:
                yield advance
        else:
            yield _advance_nothing
        self.info(f"{description}: {total} in {time.perf_counter() - start:.1f} s")


_message = message


def _advance_nothing(n_items: int = 1, /) -> None:
    """Take progress that nobody watches."""
