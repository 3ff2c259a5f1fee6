"""`mlforge --help` against the help of a bare Typer program."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks._measure import compare, report

HELLO = """
import typer

app = typer.Typer()


@app.command()
def hello(name: str) -> None:
    \"\"\"Say hello.\"\"\"
    print(f"hello {name}")


app()
"""


def main() -> None:
    """Compare the time to print help."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "hello.py"
        script.write_text(HELLO)
        report(
            compare(
                "mlforge --help / Typer hello --help",
                2.0,
                [sys.executable, "-m", "mlforge", "--help"],
                [sys.executable, str(script), "--help"],
                n_pairs=15,
            )
        )


if __name__ == "__main__":
    main()
