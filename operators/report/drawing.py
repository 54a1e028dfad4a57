"""Pictures of a search in SVG, small enough to stand in the text of an artifact."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from operators.report.figures import BETTER, UNSURE, WINNER, WORSE
from operators.report.tables import ranked, signed
from operators.report.tree import Node, prefix_tree
from operators.results import Trial
from operators.strategist.space import Strategy, label

WIDTH, ROW, MARGIN = 720, 40, 30
"""Of the plot: pixels across, pixels a trial, and pixels beside and below its scale."""
BOX, LINE, GAP, LEVEL = 118, 40, 12, 150
"""Of the tree: a box's width and height, the space between boxes, and from one level to the next."""
TEXT = "#7d8590"
"""Legible on the UI's light and dark ground: an image cannot know which one it stands on."""


def scores_svg(trials: Sequence[Trial], winner: Strategy | None = None) -> str:
    """Score and interval of every trial, best first, on one scale with the baseline's 0 and the noise floor, which
    is wider for a trial whose judging stopped early."""
    rows = ranked(trials)
    floors = [t.noise_floor for t in rows]
    low = min(-0.1, -max(floors), *(t.comparison.score_ci[0] for t in rows))
    high = max(0.1, *floors, *(t.comparison.score_ci[1] for t in rows))

    def x(score: float) -> str:
        return f"{MARGIN + (score - low) / (high - low) * (WIDTH - 2 * MARGIN):.1f}"

    height = ROW * len(rows) + MARGIN
    svg = _picture(WIDTH, height)
    for i, floor in enumerate(floors):
        if floor:
            width = f"{2 * floor / (high - low) * (WIDTH - 2 * MARGIN):.1f}"
            band = {"x": x(-floor), "y": str(ROW * i), "width": width, "height": str(ROW), "fill": TEXT}
            ET.SubElement(svg, "rect", {**band, "fill-opacity": "0.15"})
    for i, trial in enumerate(rows):
        comparison, y = trial.comparison, ROW * i + 28
        # Beside each mark only: a line over the whole height would cross the names.
        ET.SubElement(svg, "line", _line(x(0), str(y - 7), x(0), str(y + 7), TEXT, "1"))
        colour = _colour(trial, winner)
        bar = _line(x(comparison.score_ci[0]), str(y), x(comparison.score_ci[1]), str(y), colour, "2")
        ET.SubElement(svg, "line", bar)
        ET.SubElement(svg, "circle", {"cx": x(comparison.score), "cy": str(y), "r": "5", "fill": colour})
        bold = trial.strategy == winner
        stopped = " (stopped)" if trial.stopped else ""
        _text(svg, f"round {trial.round}: {label(trial.strategy)}{stopped}", str(MARGIN), y - 11, "start", bold)
        noise = " (inside the noise)" if trial.is_noise and trial.noise_floor else ""
        _text(svg, f"{signed(comparison.score)}{noise}", str(WIDTH - MARGIN), y - 11, "end", bold)
    for score in (low, 0.0, high):
        _text(svg, signed(score), x(score), height - 8, "middle")
    return ET.tostring(svg, encoding="unicode")


def tree_svg(trials: Sequence[Trial], winner: Strategy | None = None) -> str:
    """The prefix tree from left to right: a box a team, with the score where a trial ends there."""
    tops = prefix_tree(trials)
    centres: dict[Strategy, float] = {}
    leaves = 0

    def place(node: Node) -> float:
        nonlocal leaves
        if node.children:
            heights = [place(child) for child in node.children]
            centre = (heights[0] + heights[-1]) / 2
        else:
            centre = GAP + LINE / 2 + leaves * (LINE + GAP)
            leaves += 1
        centres[node.strategy] = centre
        return centre

    heights = [place(top) for top in tops]
    root = (heights[0] + heights[-1]) / 2
    depth = max(map(len, centres))
    svg = _picture(depth * LEVEL + BOX + 2 * GAP, GAP + leaves * (LINE + GAP))
    _box(svg, 0, root, ("unprocessed", "0.00"), TEXT, winner == ())
    for node in (n for top in tops for n in top.walk()):
        level, y = len(node.strategy), centres[node.strategy]
        parent = centres.get(node.strategy[:-1], root)
        left, right = (level - 1) * LEVEL + BOX + GAP, level * LEVEL + GAP
        middle = (left + right) / 2
        path = f"M{left},{parent:.1f} C{middle},{parent:.1f} {middle},{y:.1f} {right},{y:.1f}"
        ET.SubElement(svg, "path", {"d": path, "fill": "none", "stroke": TEXT})
        score = (signed(node.trial.score),) if node.trial else ()
        colour = _colour(node.trial, winner) if node.trial else TEXT
        _box(svg, level, y, (str(node.team), *score), colour, node.strategy == winner)
    return ET.tostring(svg, encoding="unicode")


def _picture(width: int, height: int) -> ET.Element:
    size = {"width": str(width), "height": str(height), "viewBox": f"0 0 {width} {height}"}
    return ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "font-family": "sans-serif", **size})


def _box(svg: ET.Element, level: int, y: float, lines: Sequence[str], colour: str, bold: bool) -> None:
    left = level * LEVEL + GAP
    place = {"x": str(left), "y": f"{y - LINE / 2:.1f}", "width": str(BOX), "height": str(LINE), "rx": "6"}
    ET.SubElement(svg, "rect", {**place, "fill": "none", "stroke": colour, "stroke-width": "4" if bold else "2"})
    first = y + 5 - 8 * (len(lines) - 1)
    for i, line in enumerate(lines):
        _text(svg, line, f"{left + BOX / 2:.1f}", first + 16 * i, "middle", bold)


def _text(svg: ET.Element, text: str, x: str, y: float, anchor: str, bold: bool = False) -> None:
    style = {"text-anchor": anchor, "fill": TEXT, "font-size": "13", **({"font-weight": "bold"} if bold else {})}
    ET.SubElement(svg, "text", {"x": x, "y": f"{y:g}", **style}).text = text


def _line(x1: str, y1: str, x2: str, y2: str, colour: str, width: str) -> dict[str, str]:
    return {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "stroke": colour, "stroke-width": width}


def _colour(trial: Trial, winner: Strategy | None) -> str:
    low, high = trial.score_ci
    if winner is not None and trial.strategy == winner:
        return WINNER
    return BETTER if low > 0 else WORSE if high < 0 else UNSURE
