"""The model random_forest."""

from __future__ import annotations

from typing import Any, ClassVar

from mlforge.models._forest import Forest

__all__ = ["RandomForest"]


class RandomForest(Forest):
    """Average of decision trees, each grown on a random draw of the examples.

    Features need no scaling, and few parameters matter: the first model to try.

    References
    ----------
    L. Breiman, "Random forests", Machine Learning 45 (2001) 5-32.
    """

    name: ClassVar[str] = "random_forest"

    def _make(self, **parameters: Any) -> Any:
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(**parameters)
