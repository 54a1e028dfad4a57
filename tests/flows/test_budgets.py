"""What ends a search: one budget of LLM tokens for all operators, teams, workers and rounds, and one of time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from messages_peer import Behaviour, MessagesPeer
from model_peers import written
from tiny import MARKS, run_search, write_set

from operators.errors import BudgetExceeded

pytestmark = pytest.mark.e2e

ASKING = MARKS | {
    "generation": [{"name": "new_pairs", "params": {"count": 4}}],
    "optimization": [{"name": "rewrite_answer"}],
}


@pytest.fixture
def folder(stack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: ARG001
    """An empty store and an empty request cache, and a set in it."""
    monkeypatch.setattr("tasks.processing.request_cache", lambda: str(tmp_path / "requests"))
    write_set(tmp_path)
    return tmp_path


def test_the_search_ends_with_the_rounds_it_could_pay_for(
    folder: Path, messages_peer: Callable[[Behaviour], MessagesPeer]
) -> None:
    peer = messages_peer(written("gout"))  # 15 tokens a reply
    # One strategy a round: cleaning, which asks nothing; generation, 4 requests; optimization, one a record.
    result = run_search(
        folder,
        teams=ASKING,
        strategist={"kind": "exhaustive"},
        budget={"rounds": 9, "trials_per_round": 1, "tokens": 100},
        judging={"tie_margin": 100.0},
        endpoints={"rewriter": {"base_url": peer.base_url, "concurrency": 1}},
    )
    assert result.stopped == "tokens"
    assert [t.strategy for t in result.trials] == [("cleaning",), ("generation",)]
    assert result.work.llm_requests == 4
    assert len(peer.requests) == 7  # 105 tokens: the third round ended with the third of its requests
    assert result.work.llm_lost_tokens == 45


def test_a_budget_for_not_even_one_round_is_an_error(
    folder: Path, messages_peer: Callable[[Behaviour], MessagesPeer]
) -> None:
    peer = messages_peer(written("gout"))
    with pytest.raises(
        BudgetExceeded, match=r"this run has used 30 of the 20 tokens allowed: raise budget\.tokens"
    ):
        run_search(
            folder,
            teams=ASKING | {"cleaning": []},
            strategist={"kind": "exhaustive"},
            budget={"rounds": 9, "trials_per_round": 1, "tokens": 20},
            endpoints={"rewriter": {"base_url": peer.base_url, "concurrency": 1}},
        )
    assert len(peer.requests) == 2


def test_the_search_ends_when_its_time_is_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A round takes a minute by this clock.
    clock = property(lambda self: float(sum(stage.startswith("round") for stage in self.seconds)))
    monkeypatch.setattr("flows.search.Clock.minutes", clock)
    budget = {"rounds": 99, "trials_per_round": 1, "trials": 99, "minutes": 2}
    result = run_search(folder, strategist={"kind": "exhaustive"}, budget=budget)
    assert result.stopped == "minutes"
    assert len(result.trials) == 2
    assert result.verdict.reason
    assert (folder / "runs" / "tiny" / "report.html").exists()


def test_time_for_not_even_one_round_is_an_error(folder: Path) -> None:
    with pytest.raises(BudgetExceeded, match=r"\(minutes\) ended before a first trial: raise budget\.minutes"):
        run_search(folder, budget={"rounds": 2, "trials_per_round": 1, "minutes": 0.001})
