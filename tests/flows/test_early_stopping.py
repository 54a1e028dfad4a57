"""When an LLM judge may stop asking: the level and leader that a search gives it, and what comes of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import judge_peers
import pytest
from messages_peer import Behaviour, MessagesPeer
from tiny import rows, settings

from flows.iteration import _early_stop
from flows.plan import Plan
from operators.config import Endpoint, Judging, SearchConfig
from operators.data.records import Message, Record
from operators.data.store import BlobRef, Store
from operators.training.lora import FineTune
from tasks.judging import EarlyStop, judge
from tasks.runtime import Runtime

QUESTIONS = [
    Record(r["id"], (Message("user", r["question"]), Message("assistant", r["answer"]))) for r in rows(40)
]
RIGHT = [q.answer for q in QUESTIONS]
WRONG = ["It is not known."] * len(QUESTIONS)


def plan(folder: Path, **judging: object) -> Plan:
    changes = {
        "judging": judging,
        "budget": {"trials": 10},
        "endpoints": {"judge": {"base_url": "http://judge:8"}},
    }
    return Plan.model_construct(config=SearchConfig.model_validate(settings(folder, **changes)))


def test_each_strategy_has_its_share_of_the_level(tmp_path: Path) -> None:
    stop = _early_stop(plan(tmp_path, method="pairwise", early_stopping_level=0.05), (1.0, -1.0))
    assert stop == EarlyStop(level=0.005, leader=(1.0, -1.0))
    assert _early_stop(plan(tmp_path, method="reference"), None) is None
    assert _early_stop(plan(tmp_path, method="pairwise", early_stopping=False), None) is None


def tuned(store: Store, answers: list[str]) -> FineTune:
    """A model that answered so."""
    return FineTune(
        adapter=BlobRef(sha256="0" * 64, size=0),
        examples=1,
        steps=1,
        train_loss=1.0,
        question_nll=[1.0] * len(answers),
        answers=store.put_bytes(json.dumps(answers).encode()),
        seconds=0.0,
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "leader", "settled"),
    [
        (RIGHT, WRONG, None, "better"),
        (WRONG, RIGHT, None, "worse"),
        (RIGHT, RIGHT, (1.0,) * len(RIGHT), "behind"),
        (RIGHT, RIGHT, None, None),
    ],
)
def test_judging_ends_where_the_matter_is_settled(
    tmp_path: Path,
    messages_peer: Callable[[Behaviour], MessagesPeer],
    ours: list[str],
    theirs: list[str],
    leader: tuple[float, ...] | None,
    settled: str | None,
) -> None:
    store = Store(str(tmp_path / "store"))
    peer = messages_peer(judge_peers.judging(judge_peers.fair({q.question: q.answer for q in QUESTIONS})))
    asked = Endpoint(model=f"judge-{uuid4()}", base_url=peer.base_url)
    found = judge.fn(
        tuned(store, ours),
        tuned(store, theirs),
        store.put_records(QUESTIONS),
        Judging(method="pairwise", batch=4),
        "",
        0,
        Runtime(store=store.root, judge=asked),
        EarlyStop(level=0.05 / 4, leader=leader),
    )
    assert found.details is not None
    assert found.details.settled == settled
    assert found.details.questions == len(QUESTIONS)
    assert found.details.calls == 2 * found.n
    assert found.n == len(QUESTIONS) if settled is None else found.n <= len(QUESTIONS) // 2
