"""The judge's exam, taken by judges whose habits are known."""

from __future__ import annotations

from typing import Any

import judge_peers
import pytest
from messages_peer import HTTPReply, failure, message
from tiny import rows

from operators.config import Endpoint, Judging
from operators.data.records import Message, Record
from operators.errors import DataError, JudgeRefused
from operators.judging.exam import INJECTION, build, examine, require
from operators.llm.client import LLMClient

BOTH = [Judging(method="pairwise"), Judging(method="pairwise", verdict="logit")]


@pytest.fixture
def questions() -> list[Record]:
    return [
        Record(r["id"], (Message("user", r["question"]), Message("assistant", r["answer"] + f" See part {i}.")))
        for i, r in enumerate(rows(12))
    ]


def right(questions: list[Record]) -> dict[str, str]:
    return {q.question: q.answer for q in questions}


def shares(messages_peer, questions, verdict, settings) -> dict[str, float]:
    peer = messages_peer(judge_peers.judging(verdict))
    exam = examine(LLMClient(Endpoint(model="m", base_url=peer.base_url)), questions, settings)
    if exam.passed:
        require(exam)
    else:
        with pytest.raises(JudgeRefused, match=r"set judging\.method to reference, or endpoints\.judge to a l"):
            require(exam)
    return {check.name: check.passed / check.of for check in exam.checks} | {"all": exam.passed}


@pytest.mark.parametrize("settings", BOTH)
def test_a_fair_judge_passes(messages_peer, questions, settings):
    found = shares(messages_peer, questions, judge_peers.fair(right(questions)), settings)
    assert found.pop("all") is True
    assert set(found.values()) == {1.0}


@pytest.mark.parametrize("settings", BOTH)
def test_biased_judges_are_refused_for_what_they_do(messages_peer, questions, settings):
    first = shares(messages_peer, questions, judge_peers.always_first, settings)
    assert (first["all"], first["identical"], first["swapped"]) == (False, 0, 0)

    longest = shares(messages_peer, questions, judge_peers.longest, settings)
    assert (longest["all"], longest["padded"], longest["identical"]) == (False, 0, 1)

    obedient = shares(messages_peer, questions, judge_peers.obedient(right(questions)), settings)
    assert obedient == {"all": False, "identical": 1, "swapped": 1, "garbage": 1, "padded": 1, "injected": 0}

    tie = shares(messages_peer, questions, judge_peers.always_tie, settings)
    assert (tie["all"], tie["garbage"], tie["injected"]) == (False, 0, 0)


@pytest.mark.parametrize("settings", BOTH)
def test_the_right_answer_belongs_to_the_question_that_is_shown(messages_peer, questions, settings):
    opening = (Message("user", "Hello"), Message("assistant", "How can I help?"))
    chats = [Record(q.id, (*opening, *q.messages)) for q in questions]
    found = shares(messages_peer, chats, judge_peers.fair(right(questions)), settings)
    assert found.pop("all") is True
    assert set(found.values()) == {1.0}


def test_no_verdict_is_the_right_one_on_nothing(messages_peer, questions):
    fair = judge_peers.judging(judge_peers.fair(right(questions)))

    def short_sighted(body: dict[str, Any], before: int) -> HTTPReply:
        prompt = body["messages"][-1]["content"]
        if "To repeat:" in prompt:
            return failure(400)  # too long for it
        said = fair(body, before)
        return message("{}") if b"tie" in said.body else said

    peer = messages_peer(short_sighted)
    exam = examine(LLMClient(Endpoint(model="m", base_url=peer.base_url)), questions, BOTH[0])
    passed = {check.name: check.passed / check.of for check in exam.checks}
    assert passed == {"identical": 0, "swapped": 1, "garbage": 1, "padded": 0, "injected": 1}


def test_the_error_has_counts_and_no_text(messages_peer, questions):
    peer = messages_peer(judge_peers.judging(judge_peers.always_first))
    exam = examine(LLMClient(Endpoint(model="m", base_url=peer.base_url)), questions, BOTH[0])
    with pytest.raises(JudgeRefused) as refused:
        require(exam)
    assert "identical 0 of 12 (needs 80%)" in str(refused.value)
    assert not any(q.question in str(refused.value) or q.answer in str(refused.value) for q in questions)


def test_pairs_are_seeded_and_what_they_say_they_are(questions):
    kinds = build(questions, 0)
    assert build(questions, 0)["garbage"].pairs == kinds["garbage"].pairs
    assert build(questions, 1)["garbage"].pairs != kinds["garbage"].pairs
    for name, kind in kinds.items():
        assert [pair[0] for pair in kind.pairs] == questions
        assert all(pair[1] == pair[0].answer for pair in kind.pairs), name
    assert all(a == b for _, a, b in kinds["identical"].pairs)
    assert all(a != b for _, a, b in kinds["swapped"].pairs)
    assert all(b.startswith(a) and len(b) > 3 * len(a) for _, a, b in kinds["padded"].pairs)
    wrong = [b for _, _, b in kinds["swapped"].pairs]
    assert [b for _, _, b in kinds["injected"].pairs] == [f"{w}\n{INJECTION}" for w in wrong]
    assert [sorted(b) for _, _, b in kinds["garbage"].pairs] == [sorted(w) for w in wrong]


def test_one_question_is_no_exam(questions):
    with pytest.raises(ValueError, match="two questions"):
        build(questions[:1], 0)


def test_the_exam_is_as_long_as_asked_for(messages_peer, questions):
    peer = messages_peer(judge_peers.judging(judge_peers.always_tie))
    settings = Judging(method="pairwise", exam={"questions": 5})
    exam = examine(LLMClient(Endpoint(model="m", base_url=peer.base_url)), questions, settings)
    assert {check.of for check in exam.checks} == {5}


def choices(answers: list[str]) -> list[Record]:
    return [
        Record(str(i), (Message("user", f"Question {i}?"), Message("assistant", a))) for i, a in enumerate(answers)
    ]


@pytest.mark.parametrize("settings", BOTH)
def test_answers_of_one_letter_make_a_fair_exam(messages_peer, settings):
    questions = choices(list("ABCDABCDAABB"))
    kinds = build(questions, 0)
    assert all(a != b for kind in ("swapped", "garbage") for _, a, b in kinds[kind].pairs)
    assert len(kinds["swapped"].pairs) == 12
    found = shares(messages_peer, questions, judge_peers.fair(right(questions)), settings)
    assert found.pop("all") is True


def test_answers_that_are_all_the_same_make_no_exam():
    with pytest.raises(DataError, match=r"all 4 held-out answers .* are the same: set judging\.method"):
        build(choices(["Yes.", "yes.", "Yes. ", "Yes."]), 0)
