"""What a search does with training seeds, and with an LLM judge that has to pass its exam first."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import judge_peers
import pytest
from messages_peer import Behaviour, MessagesPeer
from tiny import run_search, search_json, steady, write_set

from operators.errors import JudgeRefused

pytestmark = pytest.mark.e2e

SEEDS = {
    "judging": {"noise_floor": True, "sealed_seeds": 3, "tie_margin": 0.0},
    # Enough that seeds differ: after one step of warm-up every model is still the untuned one.
    "training": {"steps": 6, "learning_rate": 5e-3},
}


@pytest.fixture(scope="module")
def folder(stack: str, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001
    """A store that the searches share."""
    place = tmp_path_factory.mktemp("judging")
    write_set(place)
    return place


def test_seeds_of_winner_and_baseline_are_trained_once_and_reported(folder: Path) -> None:
    result = run_search(folder, **SEEDS)
    # Baseline, A/A and two strategies; then the winner with three seeds, and the baseline with two more.
    assert result.work.fine_tunes_requested == 1 + 1 + 2 + (3 + 2)
    verdict = result.verdict
    assert len(verdict.seed_scores) == 3
    assert verdict.score == pytest.approx(sum(verdict.seed_scores) / 3)
    assert verdict.n == 8
    best = max(result.trials, key=lambda t: t.comparison.score)
    assert verdict.search_score == best.comparison.score
    floors = {t.noise_floor for t in result.trials}
    assert len(floors) == 1
    assert 0 < floors.pop() <= 1
    assert 0 < verdict.noise_floor <= 1
    assert result.lead is not None
    report = (folder / "runs" / "tiny" / "report.html").read_text(encoding="utf-8")
    assert "Noise floor, sealed" in report

    first = search_json(folder)
    again = run_search(folder, **SEEDS)
    assert again.work.fine_tunes_executed == 0
    assert steady(search_json(folder)) == steady(first)


def answers_of(folder: Path) -> dict[str, str]:
    lines = (folder / "evaluation.jsonl").read_text(encoding="utf-8").splitlines()
    return {r["question"]: r["answer"] for r in map(json.loads, lines)}


def pairwise(peer: MessagesPeer, **judging: object) -> dict[str, object]:
    return {
        "judging": {"method": "pairwise", "max_answer_tokens": 8, "exam": {"questions": 6}, **judging},
        # A name of its own: answers of earlier runs must not come from this machine's cache.
        "endpoints": {"judge": {"base_url": peer.base_url, "model": f"judge-{uuid4()}"}},
    }


def test_a_fair_judge_passes_its_exam_and_judges(
    folder: Path, messages_peer: Callable[[Behaviour], MessagesPeer]
) -> None:
    peer = messages_peer(judge_peers.judging(judge_peers.fair(answers_of(folder))))
    result = run_search(folder, **pairwise(peer))
    assert result.exam is not None
    assert result.exam.passed
    assert {c.of for c in result.exam.checks} == {6}
    for trial in result.trials:
        details = trial.comparison.details
        assert details is not None
        assert (details.questions, details.invalid_rate, details.flip_rate) == (8, 0, 0)
    assert result.work.llm_requests == len(peer.requests)
    assert "had to show before it judged" in (folder / "runs" / "tiny" / "report.html").read_text(encoding="utf-8")


def test_a_biased_judge_stops_the_search_before_anything_is_trained(
    folder: Path, messages_peer: Callable[[Behaviour], MessagesPeer]
) -> None:
    peer = messages_peer(judge_peers.judging(judge_peers.longest))
    with pytest.raises(JudgeRefused, match=r"padded 0 of 6 .* set judging\.method to reference"):
        run_search(folder, name="refused", **pairwise(peer))
    assert not (folder / "runs" / "refused").exists()


def test_a_server_with_all_adapters_answers_for_the_judge(
    folder: Path, messages_peer: Callable[[Behaviour], MessagesPeer]
) -> None:
    peer = messages_peer(judge_peers.judging(judge_peers.fair(answers_of(folder))))
    changes = pairwise(peer)
    changes["endpoints"] = {**changes["endpoints"], "target": {"managed": True}}  # type: ignore[dict-item]
    result = run_search(folder, name="served", **changes)
    for trial in result.trials:
        assert trial.comparison.details is not None
        assert trial.comparison.details.questions == 8
        assert trial.comparison.details.trial_length > 0
