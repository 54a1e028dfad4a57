"""A real model designs strategies: vLLM on CPU behind the Messages API, two rounds of a real search."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny

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
