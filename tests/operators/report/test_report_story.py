"""The story of a search for its run's page."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any
from xml.etree import ElementTree as ET

from operators.report import budget_table, story
from operators.report.drawing import scores_svg, tree_svg


def of(svg: str, tag: str) -> list[ET.Element]:
    """The elements of a picture that have this tag."""
    return [e for e in ET.fromstring(svg).iter() if e.tag.endswith(f"}}{tag}")]


def test_every_trial_is_in_plot_table_and_tree(search_result: Any) -> None:
    text = story(search_result.trials, search_result.verdict.strategy)
    images = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", text)
    plot, tree = (b64decode(image).decode() for image in images)
    assert plot == scores_svg(search_result.trials, search_result.verdict.strategy)
    assert tree == tree_svg(search_result.trials, search_result.verdict.strategy)
    assert len(of(plot, "circle")) == len(search_result.trials)
    for trial in search_result.trials:
        assert f"| {' > '.join(trial.strategy)} |" in text


def test_the_scale_holds_every_interval(search_result: Any) -> None:
    svg = scores_svg(search_result.trials)
    width = float(ET.fromstring(svg).attrib["width"])
    for line in of(svg, "line"):
        assert 0 <= float(line.attrib["x1"]) <= float(line.attrib["x2"]) <= width


def test_a_score_inside_the_noise_says_so(search_result: Any) -> None:
    assert of(scores_svg(search_result.trials), "rect") == []
    noisy = [
        t.model_copy(update={"noise_floor": 0.45 if i else 0.2})  # as where judging stopped early
        for i, t in enumerate(search_result.trials)
    ]
    svg = scores_svg(noisy)
    said = [e.text for e in of(svg, "text") if e.text and e.text.endswith("(inside the noise)")]
    assert len(said) == sum(t.is_noise for t in noisy) > 0
    bands = [(float(e.attrib["x"]), float(e.attrib["width"])) for e in of(svg, "rect")]
    assert len({width for _, width in bands}) == 2
    marks = [float(e.attrib["cx"]) for e in of(svg, "circle")]
    inside = [left <= x <= left + width for x, (left, width) in zip(marks, bands, strict=True)]
    assert sum(inside) == len(said), "the marks in their bands are those that are called noise"


def test_the_tree_has_a_box_and_an_edge_for_each_distinct_prefix(search_result: Any) -> None:
    svg = tree_svg(search_result.trials)
    size = ET.fromstring(svg).attrib
    prefixes = {t.strategy[: i + 1] for t in search_result.trials for i in range(len(t.strategy))}
    assert len(of(svg, "path")) == len(prefixes)
    corners = [(float(e.attrib["x"]), float(e.attrib["y"])) for e in of(svg, "rect")]
    assert len(set(corners)) == len(prefixes) + 1, "the root, and no box on another"
    for x, y in corners:
        assert 0 <= x <= float(size["width"]) - 118
        assert 0 <= y <= float(size["height"]) - 40


def test_the_winner_stands_out_in_both_pictures(search_result: Any) -> None:
    winner = search_result.verdict.strategy
    for draw in (scores_svg, tree_svg):
        bold = [e.text for e in of(draw(search_result.trials, winner), "text") if "font-weight" in e.attrib]
        assert any(str(bold_text).endswith(winner[-1]) for bold_text in bold)
        assert not [e for e in of(draw(search_result.trials), "text") if "font-weight" in e.attrib]


def test_before_the_first_trial() -> None:
    assert story([]) == "No strategy has been tried yet."


def test_the_budget() -> None:
    used = {"rounds": 2, "minutes": 1.5, "tokens": 1200}
    table = budget_table(used, {"rounds": 5, "minutes": None, "tokens": 9e6})
    assert table.splitlines()[2:] == [
        "| rounds | 2 | 5 |",
        "| minutes | 1.5 | no limit |",
        "| tokens | 1,200 | 9,000,000 |",
    ]
