"""The search so far as Markdown for a run's page: a plot of the scores, the leaderboard and the strategy tree.

Prefect's UI renders images whose bytes are in the Markdown itself, and Mermaid diagrams, so nothing is linked.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

from operators.report.figures import BETTER, UNSURE, WINNER, WORSE
from operators.report.tables import leaderboard, ranked, signed
from operators.report.tree import prefix_tree
from operators.results import Trial
from operators.strategist.space import Strategy, label

WIDTH, ROW, MARGIN = 720, 34, 30
TEXT = "#7d8590"
"""Legible on the UI's light and dark ground: an image cannot know which one it stands on."""


def story(trials: Sequence[Trial], winner: Strategy | None = None) -> str:
    """Plot, leaderboard and tree. Scores, counts and team names; no record text."""
    if not trials:
        return leaderboard(trials)
    image = b64encode(scores_svg(trials, winner).encode()).decode()
    return "\n\n".join(
        [
            f"![Scores with their intervals](data:image/svg+xml;base64,{image})",
            leaderboard(trials),
            f"```mermaid\n{tree_diagram(trials, winner)}\n```",
        ]
    )


def budget_table(used: Mapping[str, float], limits: Mapping[str, float | None]) -> str:
    """What of the budget is used, by name, as a Markdown table; None is no limit."""
    rows = ["| budget | used | of |", "| --- | ---: | ---: |"]
    for name, value in used.items():
        limit = limits.get(name)
        rows.append(f"| {name} | {value:,.10g} | {'no limit' if limit is None else f'{limit:,.10g}'} |")
    return "\n".join(rows)


def tree_diagram(trials: Sequence[Trial], winner: Strategy | None = None) -> str:
    """The prefix tree in Mermaid's language: a box a team, with the score where a trial ends there."""
    lines = ["flowchart LR", '    root(["unprocessed<br/>0.00"])']
    for top in prefix_tree(trials):
        for node in top.walk():
            name, parent = _name(node.strategy), _name(node.strategy[:-1])
            score = f"<br/>{signed(node.trial.comparison.score)}" if node.trial else ""
            lines.append(f'    {parent} --> {name}["{node.team}{score}"]')
            if node.trial:
                width = "4px" if node.strategy == winner else "2px"
                lines.append(f"    style {name} stroke:{_colour(node.trial, winner)},stroke-width:{width}")
    return "\n".join(lines)


def scores_svg(trials: Sequence[Trial], winner: Strategy | None = None) -> str:
    """Score and interval of every trial, best first, on one scale with the baseline's 0."""
    rows = ranked(trials)
    low = min(-0.1, *(t.comparison.score_ci[0] for t in rows))
    high = max(0.1, *(t.comparison.score_ci[1] for t in rows))

    def x(score: float) -> str:
        return f"{MARGIN + (score - low) / (high - low) * (WIDTH - 2 * MARGIN):.1f}"

    height = ROW * len(rows) + MARGIN
    size = {"width": str(WIDTH), "height": str(height), "viewBox": f"0 0 {WIDTH} {height}"}
    svg = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "font-family": "sans-serif", **size})
    ET.SubElement(svg, "line", _line(x(0), "0", x(0), str(height - MARGIN), TEXT, "1", "4 3"))
    for i, trial in enumerate(rows):
        comparison, y = trial.comparison, ROW * i + 24
        colour = _colour(trial, winner)
        bar = _line(x(comparison.score_ci[0]), str(y), x(comparison.score_ci[1]), str(y), colour, "2")
        ET.SubElement(svg, "line", bar)
        ET.SubElement(svg, "circle", {"cx": x(comparison.score), "cy": str(y), "r": "5", "fill": colour})
        style = {"fill": TEXT, "font-size": "13"}
        bold = {"font-weight": "bold"} if trial.strategy == winner else {}
        name = ET.SubElement(svg, "text", {"x": str(MARGIN), "y": str(y - 9), **style, **bold})
        name.text = f"{trial.round} · {label(trial.strategy)}"
        right = {"x": str(WIDTH - MARGIN), "y": str(y - 9), "text-anchor": "end"}
        value = ET.SubElement(svg, "text", {**right, **style})
        value.text = signed(comparison.score)
    for score in (low, 0.0, high):
        tick = {"x": x(score), "y": str(height - 8), "text-anchor": "middle", "fill": TEXT, "font-size": "12"}
        ET.SubElement(svg, "text", tick).text = signed(score)
    return ET.tostring(svg, encoding="unicode")


def _line(x1: str, y1: str, x2: str, y2: str, colour: str, width: str, dash: str = "none") -> dict[str, str]:
    ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    return {**ends, "stroke": colour, "stroke-width": width, "stroke-dasharray": dash}


def _colour(trial: Trial, winner: Strategy | None) -> str:
    low, high = trial.comparison.score_ci
    if winner is not None and trial.strategy == winner:
        return WINNER
    return BETTER if low > 0 else WORSE if high < 0 else UNSURE


def _name(strategy: Strategy) -> str:
    return "_".join(strategy) or "root"
