"""What a search does with its sealed questions: opened for another candidate, and with seeds that are lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny import MARKS, run_search, search_json, steady, write_set

from operators.errors import NothingLearned
from operators.training.lora import FineTune
from tasks.durable import durable, in_store

pytestmark = pytest.mark.e2e

ONE = {"budget": {"rounds": 1, "trials_per_round": 1}}


def selecting(keep: str) -> dict[str, Any]:
    """Teams of which one is left, which keeps one half of the records or the other."""
    return {team: [] for team in MARKS} | {"selection": [{"name": "mark_selection", "params": {"keep": keep}}]}


def test_a_second_candidate_for_the_same_questions_is_judged_more_strictly(stack: str, tmp_path: Path) -> None:  # noqa: ARG001
    write_set(tmp_path)
    first = run_search(tmp_path, teams=selecting("even"), **ONE)
    told = search_json(tmp_path)
    second = run_search(tmp_path, teams=selecting("odd"), **ONE)
    assert (first.verdict.opening, second.verdict.opening) == (1, 2)
    assert "95% interval" in first.verdict.reason
    assert "97.5% interval" in second.verdict.reason
    assert "opened for 1 other candidate" in second.verdict.reason
    assert run_search(tmp_path, teams=selecting("odd"), **ONE).verdict == second.verdict
    run_search(tmp_path, teams=selecting("even"), **ONE)
    assert steady(search_json(tmp_path)) == steady(told), "a repeated search has the number that it had"
    write_set(tmp_path, count=39)
    other = run_search(tmp_path, teams=selecting("odd"), **ONE)
    assert other.verdict.opening == 1, "another set's questions"


def test_a_strategy_that_some_seeds_cannot_be_tuned_with_is_not_adopted(
    stack: str,  # noqa: ARG001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from flows import verdict

    train, lost = verdict._trained, {"verdict - candidate 2"}

    @durable("diverges", content=lambda name: [name])
    def diverges(name: str) -> FineTune:
        raise NothingLearned(f"{name} diverged")

    def trained(data: Any, plan: Any, repeat: int, run_name: str) -> Any:
        if run_name in lost:
            return in_store(diverges, plan.runtime.store, run_name).submit(run_name)
        return train(data, plan, repeat, run_name)

    monkeypatch.setattr(verdict, "_trained", trained)
    write_set(tmp_path)
    seeds = {"judging": {"sealed_seeds": 3, "tie_margin": 0.0}, "training": {"steps": 4, "learning_rate": 5e-3}}
    found = run_search(tmp_path, teams=selecting("even"), **ONE, **seeds)
    assert found.verdict.decision == "no_processing"
    assert "1 more could not be tuned" in found.verdict.reason
    assert len(found.verdict.seed_scores) == 2
    lost |= {f"verdict - candidate {repeat}" for repeat in (1, 3)}
    with pytest.raises(NothingLearned, match="diverged"):
        run_search(tmp_path, teams=selecting("even"), **ONE, **seeds)
