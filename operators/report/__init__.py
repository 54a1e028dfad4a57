"""What a search found, shown to people: an HTML page, a Markdown table, a table for the terminal."""

from operators.report.page import render
from operators.report.story import budget_table, story
from operators.report.summary import decision_summary
from operators.report.tables import console_leaderboard, exam_table, leaderboard

__all__ = [
    "budget_table",
    "console_leaderboard",
    "decision_summary",
    "exam_table",
    "leaderboard",
    "render",
    "story",
]
