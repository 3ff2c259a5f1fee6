"""The model extra_trees."""

from __future__ import annotations

from typing import Any, ClassVar

from mlforge.models._forest import Forest

__all__ = ["ExtraTrees"]


class ExtraTrees(Forest):
    """Average of decision trees whose tests are drawn at random, and the best of a few kept.

    On many small features usually a little better than random_forest, and quicker to fit.

    References
    ----------
    P. Geurts, D. Ernst, L. Wehenkel, "Extremely randomized trees", Machine Learning 63 (2006) 3-42.
    """

    name: ClassVar[str] = "extra_trees"

    def _make(self, **parameters: Any) -> Any:
        from sklearn.ensemble import ExtraTreesClassifier

        return ExtraTreesClassifier(**parameters)
