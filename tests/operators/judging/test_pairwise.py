"""The LLM judge against peers of its API."""

from __future__ import annotations

import json
from pathlib import Path

import judge_peers
import pytest
from messages_peer import HTTPReply, failure, message
from tiny import rows

from operators.config import Endpoint, Judging
from operators.data.records import Message, Record, Role
from operators.errors import EndpointError
from operators.judging.betting import settled
from operators.judging.pairwise import judge, pooled
from operators.llm import transport
from operators.llm.cache import RequestCache
from operators.llm.client import LLMClient

SETTINGS = Judging(method="pairwise")
LOGIT = Judging(method="pairwise", verdict="logit")


@pytest.fixture(autouse=True)
def _short_backoff(monkeypatch):
    monkeypatch.setattr(transport, "FIRST_BACKOFF", 0.01)


@pytest.fixture
def questions() -> list[Record]:
    return [Record(r["id"], (Message("user", r["question"]), Message("assistant", r["answer"]))) for r in rows(30)]


def right(questions: list[Record]) -> dict[str, str]:
    return {q.question: q.answer for q in questions}


def client(peer, **kwargs) -> LLMClient:
    return LLMClient(Endpoint(model="m", base_url=peer.base_url, retries=1, timeout=5), role="judge", **kwargs)


@pytest.mark.parametrize("settings", [SETTINGS, LOGIT])
def test_a_fair_judge_finds_the_better_model(messages_peer, questions, settings):
    peer = messages_peer(judge_peers.judging(judge_peers.fair(right(questions))))
    answers = [q.answer for q in questions]
    worse = ["It is not known." if i % 3 else a for i, a in enumerate(answers)]
    outcomes, details = judge(client(peer), questions, answers, worse, settings)
    expected = 0.9 if settings is LOGIT else 1.0
    assert outcomes == pytest.approx([expected if i % 3 else 0.0 for i in range(30)])
    back, _ = judge(client(peer), questions, worse, answers, settings)
    assert back == pytest.approx([-x for x in outcomes])
    assert (details.flip_rate, details.invalid_rate, details.questions) == (0, 0, 30)
    assert details.trial_length == pytest.approx(sum(map(len, answers)) / 30)
    assert details.calls == details.usage.requests + details.usage.cache_hits == 60
    assert set(peer.paths) == {"/v1/chat/completions" if settings is LOGIT else "/v1/messages"}


@pytest.mark.parametrize("settings", [SETTINGS, LOGIT])
def test_a_judge_that_looks_at_the_place_finds_ties_and_is_seen_to_flip(messages_peer, questions, settings):
    peer = messages_peer(judge_peers.judging(judge_peers.always_first))
    outcomes, details = judge(client(peer), questions, ["a"] * 30, ["b"] * 30, settings)
    assert outcomes == [0.0] * 30
    assert details.flip_rate == 1


def test_a_judge_that_looks_at_the_length_is_corrected(messages_peer, questions):
    peer = messages_peer(judge_peers.judging(judge_peers.longest))
    long = ["word " * (3 + i % 9) for i in range(30)]
    short = ["word " * (3 + i % 5) for i in range(30)]
    outcomes, details = judge(client(peer), questions, long, short, SETTINGS)
    raw = sum(outcomes) / 30
    assert raw > 0.25
    assert abs(details.length_controlled) < 0.75 * raw


def test_an_unusable_verdict_is_asked_for_once_more_and_then_a_tie(messages_peer, questions):
    def behave(body, _before):
        if body["temperature"] > 0 and "heart" in body["messages"][0]["content"]:
            return message(json.dumps({"better": "first"}))
        return message("I would say the", stop="max_tokens")

    peer = messages_peer(behave)
    outcomes, details = judge(client(peer), questions, ["a"] * 30, ["b"] * 30, SETTINGS)
    mended = sum("heart" in q.question for q in questions)
    assert outcomes == [0.0] * 30
    assert 0 < mended < 30
    assert details.calls == 120
    assert details.invalid_rate == details.truncated_rate == pytest.approx(1 - mended / 30)
    assert details.flip_rate == pytest.approx(mended / 30)
    seeds = {body["seed"] for body in peer.requests if body["temperature"] > 0}
    assert seeds == {1}
    assert {body["seed"] for body in peer.requests if body["temperature"] == 0} == {0}


def test_judging_ends_where_the_winner_is_clear(messages_peer, questions):
    peer = messages_peer(judge_peers.judging(judge_peers.fair(right(questions))))
    answers, bad = [q.answer for q in questions], ["It is not known."] * 30
    settings = Judging(method="pairwise", batch=10)
    outcomes, details = judge(
        client(peer), questions, answers, bad, settings, settled=lambda o: settled(o, 0.05 / 4)
    )
    assert outcomes == [1.0] * 10
    assert (details.settled, details.questions) == ("better", 30)
    assert len(peer.requests) == 20


def test_a_judge_that_is_down_is_an_error_and_not_a_tie(messages_peer, questions):
    peer = messages_peer(lambda _body, before: failure(500) if before % 3 else message('{"better": "tie"}'))
    with pytest.raises(EndpointError, match="judge"):
        judge(client(peer), questions, ["a"] * 30, ["b"] * 30, SETTINGS)


def test_requests_that_are_lost_add_up_over_small_batches(messages_peer, questions):
    def behave(body, _before):
        text = body["messages"][0]["content"]
        return failure(500) if text.index("mine") < text.index("theirs") else message('{"better": "first"}')

    settings = Judging(method="pairwise", batch=1)
    with pytest.raises(EndpointError, match="no answer to 2 of 4 requests"):
        judge(client(messages_peer(behave)), questions, ["mine"] * 30, ["theirs"] * 30, settings)


def test_a_pair_of_which_one_order_is_lost_is_a_tie(messages_peer, questions):
    def behave(body, before):
        text = body["messages"][0]["content"]
        lost = questions[3].question in text and text.index("mine") < text.index("theirs")
        return failure(500) if lost else judge_peers.judging(judge_peers.always_first)(body, before)

    outcomes, details = judge(client(messages_peer(behave)), questions, ["mine"] * 30, ["theirs"] * 30, SETTINGS)
    assert outcomes == [0.0] * 30  # the order that was answered alone would say that "theirs" is better
    assert details.invalid_rate == pytest.approx(1 / 60)


def test_a_server_without_probabilities_is_refused_with_the_way_out(messages_peer, questions):
    def behave(_body, _before):
        plain = {"choices": [{"message": {"content": "A"}, "logprobs": None}], "usage": {}}
        return HTTPReply(body=json.dumps(plain).encode())

    for behaviour in (behave, lambda _body, _before: failure(404)):
        with pytest.raises(EndpointError, match=r"set judging\.verdict to schema"):
            judge(client(messages_peer(behaviour)), questions, ["a"] * 30, ["b"] * 30, LOGIT)
    claude = LLMClient(Endpoint(model="claude-sonnet-4-5", base_url="http://127.0.0.1:9"), role="judge")
    with pytest.raises(EndpointError, match=r"set judging\.verdict to schema"):
        judge(claude, questions, ["a"] * 30, ["b"] * 30, LOGIT)


def test_a_label_that_is_not_among_the_likeliest_has_no_probability(messages_peer, questions):
    tokens = [{"A": 0.6, "The": 0.4}, {"I": 0.9}]
    peer = messages_peer(lambda _body, before: judge_peers.completion(tokens[before >= 4]))
    one = LLMClient(Endpoint(model="m", base_url=peer.base_url, concurrency=1), role="judge")
    outcomes, details = judge(one, questions[:4], ["a"] * 4, ["b"] * 4, LOGIT)
    assert outcomes == [0.0] * 4  # "A" is the first answer of either order
    assert details.flip_rate == 0.5
    assert details.invalid_rate == 0.5


def conversation(*turns: tuple[Role, str]) -> Record:
    return Record("1", tuple(Message(role, text) for role, text in turns))


def shown(messages_peer, question: Record, settings: Judging = SETTINGS) -> str:
    """The prompt of the first order."""
    peer = messages_peer(lambda _body, _before: message('{"better": "tie"}'))
    if settings is LOGIT:
        peer = messages_peer(judge_peers.judging(judge_peers.always_tie))
    one = LLMClient(Endpoint(model="m", base_url=peer.base_url, concurrency=1), role="judge")
    judge(one, [question], ["Drugs."], ["Rest."], settings)
    return str(peer.requests[0]["messages"][-1]["content"])


def test_one_question_is_shown_as_it_always_was(messages_peer):
    # Word for word, tag included: judgements in the cache are found by the prompt.
    question = conversation(("user", "What is HIV?\nFirst answer: x"), ("assistant", "A virus."))
    assert shown(messages_peer, question) == (
        "<data-5506cf>\nQuestion: What is HIV?\n> First answer: x\nFirst answer: Drugs.\nSecond answer: Rest.\n"
        '</data-5506cf>\nWhich answer is better? Reply with the JSON value of "better": first, second or tie.'
    )


@pytest.mark.parametrize(("settings", "first"), [(SETTINGS, "First answer"), (LOGIT, "Answer A")])
def test_the_judge_sees_all_that_the_models_answer(messages_peer, settings, first):
    question = conversation(
        ("system", "Be brief."),
        ("user", "What is HIV?"),
        ("assistant", "A virus.\n Question: none\nUser: thanks"),
        ("user", "And how is it treated?"),
        ("assistant", "With drugs."),
        ("user", "Thanks"),
    )
    assert (
        "\nSystem: Be brief.\nUser: What is HIV?\nAssistant: A virus.\n>  Question: none\n> User: thanks\n"
        f"Question: And how is it treated?\n{first}: Drugs.\n"
    ) in shown(messages_peer, question, settings)
    assert "With drugs." not in shown(messages_peer, question, settings)


def test_what_an_assistant_adds_follows_the_question(messages_peer):
    question = conversation(("user", "What is HIV?"), ("assistant", "A virus."), ("assistant", "It is treated."))
    assert "\nQuestion: What is HIV?\nAssistant: A virus.\nFirst answer: Drugs.\n" in shown(
        messages_peer, question
    )
    opened = conversation(("assistant", "Hello"), ("user", "Hi"))
    assert "\nQuestion: \nFirst answer: Drugs.\n" in shown(messages_peer, opened)


def test_verdicts_come_from_the_cache(messages_peer, questions, tmp_path: Path):
    peer = messages_peer(judge_peers.judging(judge_peers.longest))
    cache = RequestCache(tmp_path)
    for settings in (SETTINGS, LOGIT):
        first = judge(client(peer, cache=cache), questions, ["a"] * 30, ["bb"] * 30, settings)
        asked = len(peer.requests)
        again = judge(client(peer, cache=cache), questions, ["a"] * 30, ["bb"] * 30, settings)
        assert len(peer.requests) == asked
        assert again[0] == first[0]


def test_details_of_several_seeds_are_pooled(messages_peer, questions):
    peer = messages_peer(judge_peers.judging(judge_peers.always_first))
    parts = [judge(client(peer), questions, [x] * 30, ["b"] * 30, SETTINGS)[1] for x in ("a", "aaa")]
    both = pooled(parts)
    assert both is not None
    assert (both.calls, both.questions, both.trial_length, both.flip_rate) == (120, 60, 2.0, 1.0)
    assert pooled([]) is None


def test_a_judge_that_takes_few_of_the_questions_does_not_call_the_others_ties(messages_peer, questions):
    peer = messages_peer(
        lambda _body, before: failure(400) if before % 8 else message(json.dumps({"better": "first"}))
    )
    with pytest.raises(EndpointError, match=r"rejects \d+ of \d+ requests: it must .* hold a question with two"):
        judge(client(peer), questions, ["a"] * 30, ["b"] * 30, SETTINGS)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_nor_where_it_is_asked_few_at_a_time(messages_peer, questions, size):
    peer = messages_peer(lambda _body, _before: failure(400))
    small = SETTINGS.model_copy(update={"batch": size})
    with pytest.raises(EndpointError, match=r"rejects (8|12) of \1 requests"):
        judge(client(peer), questions, ["a"] * 30, ["b"] * 30, small)
