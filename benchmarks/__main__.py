"""`make bench`: every benchmark, one line a comparison."""

from __future__ import annotations

import os
import platform

from benchmarks import accuracy, batch, generate, models, predict, scale, startup, training, truth


def main() -> None:
    """Run all benchmarks."""
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    print(f"{'':<44} {'mlforge':>10} {'without':>10}")
    startup.main()
    models.main()
    generate.main()
    scale.main()
    training.main()
    predict.main()
    batch.main()
    print()
    accuracy.main()
    print()
    truth.main()


if __name__ == "__main__":
    main()
