"""An LLM designs strategies in a real search: a real model (vLLM on CPU), and one whose wishes are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
from messages_peer import Behaviour, MessagesPeer
from model_peers import proposing

from operators.llm.vllm import ManagedServer
from operators.strategist.space import all_strategies

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def test_a_model_behind_vllm_proposes_valid_strategies_for_two_rounds(
    stack: str,  # noqa: ARG001
    vllm_server: ManagedServer,
    tmp_path: Path,
) -> None:
    tiny.write_set(tmp_path)
    result = tiny.run_search(
        tmp_path,
        strategist={"kind": "claude", "max_tokens": 256},
        endpoints={"strategist": {"base_url": vllm_server.base_url, "model": vllm_server.model}},
        budget={"rounds": 2, "trials_per_round": 2},
    )
    transcript = json.loads((tmp_path / "runs" / "tiny" / "transcript.json").read_text(encoding="utf-8"))
    assert [p["source"] for p in transcript] == ["claude", "claude"]
    assert all(p["transcript"] for p in transcript)  # every round asked the model
    assert not any(code in p["fallbacks"] for p in transcript for code in ("endpoint_error", "invalid_json"))

    assert result.strategist == "claude"
    tried = [t.strategy for t in result.trials]
    assert len(tried) == len(set(tried)) >= 2
    assert set(tried) <= set(all_strategies())
    work = result.work
    assert work.llm_requests + work.llm_cache_hits >= 2  # earlier runs of this test may have asked the same
    assert (work.llm_input_tokens > 0) == (work.llm_requests > 0)


def test_the_hybrid_begins_with_what_the_llm_wants_and_asks_it_every_round(
    stack: str,  # noqa: ARG001
    messages_peer: Callable[[Behaviour], MessagesPeer],
    tmp_path: Path,
) -> None:
    peer = messages_peer(proposing("generation > cleaning", "selection"))
    tiny.write_set(tmp_path)
    model = f"agent-{tmp_path.name}-{peer.base_url[-5:]}"  # no other run has its answers in the request cache
    result = tiny.run_search(
        tmp_path,
        strategist={"kind": "hybrid"},
        endpoints={"strategist": {"base_url": peer.base_url, "model": model}},
        budget={"rounds": 2, "trials_per_round": 2},
    )
    assert result.strategist == "hybrid"
    first = {t.strategy for t in result.trials if t.round == 1}
    assert first == {("generation", "cleaning"), ("cleaning",)}, "half of it as named, half teams alone"
    transcript = json.loads((tmp_path / "runs" / "tiny" / "transcript.json").read_text(encoding="utf-8"))
    assert [p["source"] for p in transcript] == ["hybrid"] * len(transcript)
    assert result.work.llm_requests == len(peer.requests) >= len(transcript)
    assert "generation &gt; cleaning" in (tmp_path / "runs" / "tiny" / "report.html").read_text(encoding="utf-8")
