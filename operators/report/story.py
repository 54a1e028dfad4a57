"""The search so far as Markdown for a run's page: a plot of the scores, the leaderboard and the strategy tree.

Prefect's UI shows images whose bytes are in the Markdown itself, so nothing is linked; of a Mermaid diagram it
shows the source.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence

from operators.report.drawing import scores_svg, tree_svg
from operators.report.tables import COMPUTED, FOUND, leaderboard
from operators.results import Trial
from operators.strategist.space import Strategy


def story(trials: Sequence[Trial], winner: Strategy | None = None) -> str:
    """Plot, leaderboard and tree. Scores, counts and team names; no record text."""
    if not trials:
        return leaderboard(trials)
    return "\n\n".join(
        [
            "### Scores against the baseline",
            _image("Scores with their intervals", scores_svg(trials, winner)),
            "### Leaderboard",
            leaderboard(trials, FOUND),
            "### Strategy tree",
            _image("Strategies as a tree of teams", tree_svg(trials, winner)),
            "### What had to be computed",
            leaderboard(trials, COMPUTED),
        ]
    )


def budget_table(used: Mapping[str, float], limits: Mapping[str, float | None]) -> str:
    """What of the budget is used, by name, as a Markdown table; None is no limit."""
    rows = ["| budget | used | of |", "| --- | ---: | ---: |"]
    for name, value in used.items():
        limit = limits.get(name)
        rows.append(f"| {name} | {value:,.10g} | {'no limit' if limit is None else f'{limit:,.10g}'} |")
    return "\n".join(rows)


def _image(title: str, svg: str) -> str:
    return f"![{title}](data:image/svg+xml;base64,{b64encode(svg.encode()).decode()})"
