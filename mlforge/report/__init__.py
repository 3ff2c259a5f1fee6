"""The report: one self-contained HTML file that shows what is known of a model."""

from mlforge.report.data import ActivationCard, CategoryCard, LeaderboardRow, ReportData
from mlforge.report.page import MAX_BYTES, render
from mlforge.report.pictures import Load, with_pictures

__all__ = [
    "MAX_BYTES",
    "ActivationCard",
    "CategoryCard",
    "LeaderboardRow",
    "Load",
    "ReportData",
    "render",
    "with_pictures",
]
