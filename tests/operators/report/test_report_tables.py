import io

import pytest
from rich.console import Console

from operators.report import console_leaderboard, leaderboard
from operators.report.tables import duration, interval, ranked, signed
from operators.results import SearchResult
from operators.strategist.space import label


def cells(table: str) -> list[list[str]]:
    return [[c.strip() for c in line.strip("|").split("|")] for line in table.splitlines()]


def test_leaderboard_is_a_markdown_table(search_result: SearchResult) -> None:
    head, rule, *rows = cells(leaderboard(search_result.trials))
    assert len({len(row) for row in (head, rule, *rows)}) == 1
    assert all(set(c) <= {"-", ":"} for c in rule)
    assert [r[2] for r in rows] == [label(t.strategy) for t in ranked(search_result.trials)]
    scores = [float(r[3]) for r in rows]
    assert scores == sorted(scores, reverse=True)
    assert rows[0][2] == "cleaning > selection"


def test_leaderboard_shows_what_was_reused(search_result: SearchResult) -> None:
    rows = {r[2]: r for r in cells(leaderboard(search_result.trials))[2:]}
    assert rows["cleaning > optimization > selection"][-2:] == ["1 of 3", "trained"]
    assert rows["generation > cleaning"][-2:] == ["1 of 2", "reused"]


def test_leaderboard_without_trials() -> None:
    assert leaderboard([]) == "No strategy has been tried yet."


def test_console_leaderboard(search_result: SearchResult) -> None:
    out = io.StringIO()
    table = console_leaderboard(search_result.trials, search_result.verdict.strategy)
    Console(file=out, width=160, force_terminal=True, color_system="truecolor", _environ={}).print(table)
    lines = out.getvalue().splitlines()
    highlighted = [line for line in lines if "\x1b[1;32m" in line]
    assert len(highlighted) == 1
    assert "cleaning > selection" in highlighted[0]
    best = ranked(search_result.trials)[0]
    assert interval(best.comparison.score_ci) in highlighted[0]
    assert all(any(label(t.strategy) in line for line in lines) for t in search_result.trials)


@pytest.mark.parametrize(("value", "text"), [(0.416, "+0.42"), (-0.3, "-0.30"), (-0.001, "0.00"), (0, "0.00")])
def test_signed(value: float, text: str) -> None:
    assert signed(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (38.2, "38 s"), (720, "12 min"), (12600, "3.5 h")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
