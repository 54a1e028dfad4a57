"""The story of a search for its run's page."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any
from xml.etree import ElementTree as ET

from operators.report import budget_table, story
from operators.report.story import scores_svg, tree_diagram


def test_every_trial_is_in_plot_table_and_tree(search_result: Any) -> None:
    text = story(search_result.trials, search_result.verdict.strategy)
    image = re.search(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", text)
    assert image is not None
    svg = b64decode(image[1]).decode()
    assert svg == scores_svg(search_result.trials, search_result.verdict.strategy)
    circles = [e for e in ET.fromstring(svg).iter() if e.tag.endswith("circle")]
    assert len(circles) == len(search_result.trials)
    for trial in search_result.trials:
        assert f"| {' > '.join(trial.strategy)} |" in text
        assert f"> {'_'.join(trial.strategy)}[" in text


def test_the_scale_holds_every_interval(search_result: Any) -> None:
    root = ET.fromstring(scores_svg(search_result.trials))
    width = float(root.attrib["width"])
    for line in (e for e in root.iter() if e.tag.endswith("line")):
        assert 0 <= float(line.attrib["x1"]) <= float(line.attrib["x2"]) <= width


def test_the_tree_has_one_edge_a_distinct_prefix(search_result: Any) -> None:
    edges = [line for line in tree_diagram(search_result.trials).splitlines() if "-->" in line]
    prefixes = {t.strategy[: i + 1] for t in search_result.trials for i in range(len(t.strategy))}
    assert len(edges) == len(set(edges)) == len(prefixes)


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
