"""A search whose classifier learns from labels that the private judge gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from messages_peer import HTTPReply, message
from tiny import rows, run_search, search_json, write_jsonl, write_set

from operators.data.store import Store
from operators.results import Flagging

pytestmark = pytest.mark.e2e


def spots_dots(body: dict[str, Any], _before: int) -> HTTPReply:
    """Calls a record low quality where its answer trails off."""
    low = "..." in body["messages"][-1]["content"]
    return message(json.dumps({"quality": "low" if low else "clean"}), tokens=(50, 4))


def test_labels_are_asked_once_counted_and_kept_in_the_recipe(
    stack: str,  # noqa: ARG001
    tmp_path: Path,
    messages_peer: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from operators.data.store import default_cache

    peer = messages_peer(spots_dots)
    write_set(tmp_path)
    made = rows(70)[:40]
    for row in made[::2]:
        row["answer"] = f"{row['answer'][:20]}..."
    write_jsonl(tmp_path / "train.jsonl", made)
    monkeypatch.setenv("AUTODP_CACHE", str(default_cache()))
    # A model name of its own, so that no other run has these answers in the request cache.
    judge = {"model": f"judge-{tmp_path.name}-{peer.base_url[-5:]}", "base_url": peer.base_url}
    changes = {"targeting": {"enabled": True, "labels": 30}, "endpoints": {"judge": judge}}
    result = run_search(tmp_path, **changes)
    assert result.work.llm_requests == len(peer.requests) == 60, "30 records, each in both orders"
    assert (result.work.llm_input_tokens, result.work.llm_output_tokens) == (60 * 50, 60 * 4)

    found = [json.loads(p.read_bytes()) for p in (tmp_path / "store" / "results").rglob("flag-low-quality-*")]
    assert len(found) == 1
    flagging = Flagging.model_validate_json(json.dumps(json.loads(found[0]["result"])))
    assert "Trained on 30 labels" in flagging.note
    assert "asked about 30 records and labelled 30" in flagging.note
    flags = {r.id: r.flagged for r in Store(str(tmp_path / "store")).get_records(flagging.dataset)}
    low = [flags[r["id"]] is not False for r in made[::2]]
    clean = [flags[r["id"]] is False for r in made[1::2]]
    assert sum(low) + sum(clean) >= 36

    again = run_search(tmp_path, **changes)
    assert again.work.llm_requests == 0
    assert len(peer.requests) == 60
    assert search_json(tmp_path)["verdict"]
    recipe = yaml.safe_load((tmp_path / "runs" / "tiny" / "recipe.yaml").read_text())
    assert recipe["targeting"]["labels"] == 30
    assert recipe["judge"]["base_url"] == peer.base_url
