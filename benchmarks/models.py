"""XGBoost's fit against RandomForest's, on 1,000 examples of 2,000 features in ten categories."""

from __future__ import annotations

import time

import numpy as np

from benchmarks._measure import Comparison, report
from mlforge.models import MODELS


def main() -> None:
    """Compare the fits, in turn."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 100)
    centres = rng.normal(size=(10, 2000))
    features = (centres[labels] + rng.normal(scale=3, size=(1000, 2000))).astype(np.float32)
    times: dict[str, list[float]] = {"xgboost": [], "random_forest": []}
    for _ in range(4):
        for name, seconds in times.items():
            model = MODELS.get(name)()
            start = time.perf_counter()
            model.fit(features, labels, np.random.default_rng(1))
            seconds.append(time.perf_counter() - start)
    ours, theirs = (sorted(seconds[1:])[1] for seconds in times.values())
    pairs = zip(times["xgboost"][1:], times["random_forest"][1:], strict=True)
    ratios = tuple(a / b for a, b in pairs)
    report(Comparison("fit of xgboost / random_forest, 1,000 x 2,000", 3.0, ratios, ours, theirs))


if __name__ == "__main__":
    main()
