"""Operators that say they honour the quality flag do so: undecided records are processed as flagged ones are."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from messages_peer import Behaviour, message

from operators.config import Endpoint
from operators.data.loading import load
from operators.data.records import Record
from operators.example import build_example
from operators.llm.client import LLMClient
from operators.teams.base import Context
from operators.teams.registry import build, operators

HONOURING = sorted(name for name, cls in operators().items() if cls.flagged_only)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    return load(str(build_example(tmp_path_factory.mktemp("example"), 60, seed=3).train)).records


def spelled_anew(body, _before):
    """A rewriter that gives each text back with a full stop more, or with its last word doubled."""
    side = next(iter(body["output_config"]["format"]["schema"]["properties"]))
    shown = body["messages"][-1]["content"]
    text = shown.split(f"{side}: ")[-1].split("\n</data-")[0]
    return message(json.dumps({side: f"{text} {text.split()[-1]}" if text.split() else ""}))


@pytest.mark.parametrize("name", HONOURING)
def test_flagged_and_undecided_records_are_processed_and_clean_ones_are_not(name, records, messages_peer):
    behaviour: Behaviour = spelled_anew
    context = Context(
        llm=LLMClient(Endpoint(model="m", base_url=messages_peer(behaviour).base_url))
        if operators()[name].needs_llm
        else None
    )

    def outcome(flag: bool | None) -> dict[str, object]:
        out, _ = build(name).run([replace(r, flagged=flag) for r in records], context)
        return {r.id: r.messages for r in out}

    untouched = {r.id: r.messages for r in records}
    assert outcome(True) != untouched
    assert outcome(None) == outcome(True)
    assert outcome(False) == untouched
