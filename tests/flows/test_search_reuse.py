"""The prefix tree and the store: what a search computes, and what it finds again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny import run_search, search_json, steady, write_set

pytestmark = pytest.mark.e2e

ALL = {
    "strategist": {"kind": "exhaustive"},
    "budget": {"trials_per_round": 64, "trials": 64},
    # Every question a tie, so the verdict is to leave the data as they are and no team runs on the whole set.
    "judging": {"tie_margin": 100.0},
}
"""All 64 strategies in one round: 4 x 1 + 12 x 2 + 24 x 3 + 24 x 4 = 196 team runs, one after the other."""


def stored(folder: Path, task: str) -> set[str]:
    """Names of a task's results in the store."""
    return {p.name for p in (folder / "store" / "results").rglob(f"{task}-*")}


@pytest.fixture(scope="module")
def folder(stack: str, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001
    """Where all 64 strategies were tried once."""
    place = tmp_path_factory.mktemp("reuse")
    write_set(place)
    run_search(place, **ALL)
    return place


@pytest.fixture(scope="module")
def first(folder: Path) -> dict[str, Any]:
    """search.json of that run."""
    return search_json(folder)


def test_all_64_strategies_execute_64_team_runs(folder: Path, first: dict[str, Any]) -> None:
    assert len({tuple(t["strategy"]) for t in first["trials"]}) == 64
    assert first["verdict"]["decision"] == "no_processing"
    assert first["work"]["team_runs_requested"] == 196
    assert first["work"]["team_runs_executed"] == 64
    # Independently of what the search says about itself: the results that lie in the store.
    assert len(stored(folder, "apply-team")) == 64


def test_each_distinct_training_set_is_trained_once(folder: Path, first: dict[str, Any]) -> None:
    # 64 strategies and the baseline leave two training sets: with selection, and without. The verdict trains
    # the first strategy and the baseline with another seed, and these two leave the same data.
    assert first["work"]["fine_tunes_requested"] == 65 + 2
    assert first["work"]["fine_tunes_executed"] == 2 + 1
    assert len(stored(folder, "fine-tune")) == 2 + 1
    rows = {"selection" in t["strategy"]: t["rows"] for t in first["trials"]}
    assert rows[False] == first["data"]["sampled"] > rows[True] > 0


def test_reused_teams_of_the_trials_add_up(first: dict[str, Any]) -> None:
    run = sum(len(t["strategy"]) - t["reused_teams"] for t in first["trials"])
    assert run == first["work"]["team_runs_executed"]


def test_a_second_run_computes_nothing_and_says_the_same(folder: Path, first: dict[str, Any]) -> None:
    before = stored(folder, "")
    processed = (folder / "runs" / "tiny" / "processed.jsonl").read_bytes()
    recipe = (folder / "runs" / "tiny" / "recipe.yaml").read_bytes()
    result = run_search(folder, **ALL)
    assert (result.work.team_runs_requested, result.work.team_runs_executed) == (196, 0)
    assert (result.work.fine_tunes_requested, result.work.fine_tunes_executed) == (67, 0)
    assert stored(folder, "") == before
    second = search_json(folder)
    assert steady(second) == steady(first)
    assert all(t["reused_teams"] == len(t["strategy"]) and not t["trained"] for t in second["trials"])
    assert (folder / "runs" / "tiny" / "processed.jsonl").read_bytes() == processed
    assert (folder / "runs" / "tiny" / "recipe.yaml").read_bytes() == recipe


def test_a_changed_parameter_recomputes_what_depends_on_it(folder: Path, first: dict[str, Any]) -> None:
    before = {task: stored(folder, task) for task in ("apply-team", "fine-tune", "embed", "sample", "split")}
    changed = {"teams": {"selection": [{"name": "mark_selection", "params": {"keep": "odd"}}]}}
    result = run_search(folder, **ALL, **changed)
    # Of the 64 prefixes 15 have no selection in them (3 + 6 + 6).
    assert result.work.team_runs_executed == 64 - 15
    assert len(stored(folder, "apply-team") - before["apply-team"]) == 64 - 15
    assert result.work.fine_tunes_executed == 1
    assert len(stored(folder, "fine-tune") - before["fine-tune"]) == 1
    for task in ("embed", "sample", "split"):
        assert stored(folder, task) == before[task], f"{task} does not depend on an operator's parameter"
    old = {tuple(t["strategy"]): t["rows"] for t in first["trials"]}
    for trial in result.trials:
        everything = trial.rows if "selection" not in trial.strategy else trial.rows + old[trial.strategy]
        assert everything == first["data"]["sampled"], "odd and even answers together are all records"
