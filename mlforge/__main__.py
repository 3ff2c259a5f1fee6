"""`mlforge`, and `python -m mlforge`."""

from __future__ import annotations

import sys
from typing import NoReturn

from mlforge.core.import_path import safe_path

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line, which imports nothing from the folder where it is run."""
    sys.path[:] = safe_path()
    from mlforge.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
