"""Strategies on whose records no model can be tuned."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import MARKS, run_search, search_json, write_set

from operators.errors import NothingLearned
from operators.strategist.space import Team

pytestmark = pytest.mark.e2e

DROPS_ALL = [{"name": "length_bounds", "params": {"min_tokens": 10_000, "max_tokens": 20_000}}]
EXHAUSTIVE = {"strategist": {"kind": "exhaustive"}}


def test_they_have_no_score_and_the_others_go_on(stack: str, tmp_path: Path) -> None:  # noqa: ARG001
    write_set(tmp_path)
    budget = {"rounds": 3, "trials_per_round": 4, "trials": 5}
    found = run_search(tmp_path, teams=MARKS | {"cleaning": DROPS_ALL}, budget=budget, **EXHAUSTIVE)
    [lost, *others] = found.failed
    assert (lost.round, lost.strategy) == (1, (Team.CLEANING,))
    assert "none of the 0 records has an answer" in lost.reason
    assert all(Team.CLEANING in f.strategy for f in others)
    assert len(found.trials) + len(found.failed) == 5
    assert len([t for t in found.trials if t.round == 1]) == 3
    assert found.stopped == "trials"
    report = (tmp_path / "runs" / "tiny" / "report.html").read_text(encoding="utf-8")
    assert "cleaning (round 1) has no score" in report
    assert search_json(tmp_path)["failed"][0]["strategy"] == ["cleaning"]


def test_a_race_leaves_them_behind(stack: str, tmp_path: Path) -> None:  # noqa: ARG001
    write_set(tmp_path)
    racing = {"steps": 3, "racing": {"enabled": True, "keep": 0.5}}
    found = run_search(
        tmp_path,
        teams=MARKS | {"cleaning": DROPS_ALL},
        training=racing,
        budget={"rounds": 1, "trials_per_round": 4},
        **EXHAUSTIVE,
    )
    assert [f.strategy for f in found.failed] == [(Team.CLEANING,)]
    assert [t.stopped for t in found.trials].count(False) == 2


def test_a_search_of_nothing_else_says_what_is_wrong(stack: str, tmp_path: Path) -> None:  # noqa: ARG001
    write_set(tmp_path)
    chains = {team: [] for team in MARKS} | {"cleaning": DROPS_ALL}
    with pytest.raises(
        NothingLearned, match="no strategy leaves records that a model can be tuned on: none of the 0"
    ):
        run_search(tmp_path, teams=chains, budget={"rounds": 2, "trials_per_round": 2}, **EXHAUSTIVE)
