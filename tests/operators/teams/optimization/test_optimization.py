import json
from dataclasses import replace

import pytest
from messages_peer import message

from operators.config import Endpoint
from operators.data.records import Message, Record
from operators.llm.client import LLMClient
from operators.teams.base import Context
from operators.teams.optimization.rewrite import WINDOW, windows
from operators.teams.registry import build

QUESTION = "wat is teh dose of aspirin for a adult??"
ANSWER = "teh usual dose are 500 mg evry 6 hours , not more then 4 g a day"
BETTER_QUESTION = "What is the dose of aspirin for an adult?"
BETTER = "The usual dose is 500 mg every 6 hours, and not more than 4 g a day."


def record(id_, *turns, **kwargs):
    roles = ("user", "assistant")
    return Record(str(id_), tuple(Message(roles[i % 2], t) for i, t in enumerate(turns)), **kwargs)


@pytest.fixture
def rewriter(messages_peer):
    """A context whose rewriter gives `said` as the question or answer it is asked for."""

    def make(said):
        def behaviour(body, _before):
            side = next(iter(body["output_config"]["format"]["schema"]["properties"]))
            return message(json.dumps({side: said(body) if callable(said) else said}))

        peer = messages_peer(behaviour)
        return Context(llm=LLMClient(Endpoint(model="m", base_url=peer.base_url))), peer

    return make


def test_rewrites_flagged_and_undecided_records_only(rewriter):
    records = [record(i, QUESTION, ANSWER, flagged=f, meta={"n": i}) for i, f in enumerate([True, None, False])]
    ctx, peer = rewriter(BETTER)
    out, report = build("rewrite_answer").run(records, ctx)
    assert [r.answer for r in out] == [BETTER, BETTER, ANSWER]
    assert [r.question for r in out] == [QUESTION] * 3
    assert out[0].meta == {"n": 0, "rewritten_by": ["rewrite_answer"]}
    assert out[2] is records[2]
    assert records[0].meta == {"n": 0}
    assert report.changed == 2
    assert report.counts == {"rewritten_turns": 2}
    assert len(peer.requests) == 1  # two equal records, one request

    ctx, _ = rewriter(BETTER_QUESTION)
    out, _ = build("rewrite_question").run(out, ctx)
    assert out[0].question == BETTER_QUESTION
    assert out[0].meta["rewritten_by"] == ["rewrite_answer", "rewrite_question"]


@pytest.mark.parametrize(
    ("said", "counter"),
    [
        ("", "rejected_empty"),
        ("The usual dose is 500 mg.", "rejected_length"),
        (BETTER + " It is best taken with food and a glass of water in the evening.", "rejected_length"),
        (BETTER.replace("500 mg", "50 mg"), "rejected_numbers"),
        (BETTER.replace("500 mg", "500 g"), "rejected_numbers"),
        (BETTER.replace("every 6 hours", "every few hours"), "rejected_numbers"),
        (BETTER.replace("a day", "in 24 hours"), "rejected_numbers"),
        (BETTER.replace("and not more than", "but more than"), "rejected_negation"),
        (BETTER.replace("a day", "every other day"), "rejected_schedule"),
        ("Answer: " + BETTER, "rejected_prompt_residue"),
        (BETTER + " <data-12ab34>", "rejected_prompt_residue"),
        ("500 mg 6 hours 4 g " + "so it is " * 5, "rejected_repetitive"),
        ("每 6 hours 一次，每次 500 mg，每天不超过 4 g，" + "饭后服用并多喝水" * 3, "rejected_script"),
        ("Our 500 mg museum opens every 6 hours; no child pays more than 4 g a day.", "rejected_similarity"),
        (ANSWER.upper() + "!", "unchanged"),
    ],
)  # fmt: skip
def test_a_rewrite_that_fails_a_check_leaves_the_original(rewriter, said, counter):
    records = [record("a", QUESTION, ANSWER, flagged=True)]
    ctx, _ = rewriter(said)
    out, report = build("rewrite_answer").run(records, ctx)
    assert out == records
    assert report.changed == 0
    assert report.counts == {counter: 1, "rewritten_turns": 0}


@pytest.mark.parametrize(
    ("before", "after", "counter"),
    [
        ("the target INR are < 3 for you", "The target INR is > 3 for you.", "rejected_numbers"),
        ("a INR less than 3 are good", "An INR of <3 is good.", None),
        ("keep it at -5 degrees allways", "Always keep it at 5 degrees.", "rejected_numbers"),
        ("sales was $5 million that year", "Sales were $5 billion that year.", "rejected_numbers"),
        ("sales was $5 million that year", "Sales were 5 million dollars that year.", None),
        ("give 5 mg/kg of it every day", "Give 5 mg/day of it every kg.", "rejected_numbers"),
        (
            "take 5 mg at morning and 10 mg at night",
            "Take 10 mg at morning and 5 mg at night.",
            "rejected_numbers",
        ),
        ("take 5 mg at morning and 10 mg at night", "At night take 10 mg, and 5 mg at morning.", None),
        ("服用五毫克，一天三次", "请服用九毫克，一天三次。", "rejected_numbers"),
        ("服用五毫克，一天三次", "请服用5毫克，每天3次。", None),
        ("take three to five tablets", "Take two to five tablets.", "rejected_numbers"),
        ("take two 5 mg tablets", "Take four 5 mg tablets.", "rejected_numbers"),
        ("每日两到三次服用", "每日一到三次服用。", "rejected_numbers"),
        ("dreimal täglich nemen", "Zweimal täglich nehmen.", "rejected_numbers"),
        ("dos comprimidos tres vezes al día", "Tres comprimidos tres veces al día.", "rejected_numbers"),
        ("the dose was doubled", "The dose was tripled.", "rejected_numbers"),
        ("a third of the tablet", "A quarter of the tablet.", "rejected_numbers"),
    ],
)
def test_a_reversed_fact_is_rejected_and_another_spelling_is_not(rewriter, before, after, counter):
    ctx, _ = rewriter(after)
    params = {"min_similarity": -1, "length_tolerance": 1}
    _, report = build("rewrite_answer", params).run([record("a", QUESTION, before, flagged=True)], ctx)
    assert report.counts == ({counter: 1, "rewritten_turns": 0} if counter else {"rewritten_turns": 1})


def test_a_rewrite_that_departs_at_the_end_of_a_long_turn_is_rejected(rewriter):
    start = (
        "The nurse washes both hands, puts on gloves and takes the old dressing off from the outside inwards. " * 2
    )
    start += "She looks at its edges, colour and depth, and notes in the chart what she has seen. " * 3
    end = "Then the wound is cleaned with sterile water and covered with a fresh dressing by the nurse."
    other = "Then the museum is opened for all our guests and shows the finest paintings of old masters."
    before = start + end
    for said, counter in ((start + other, "rejected_similarity"), (before.replace("both", "her"), "")):
        ctx, _ = rewriter(said)
        _, report = build("rewrite_answer").run([record("a", QUESTION, before, flagged=True)], ctx)
        assert report.counts.get(counter, 0) == bool(counter)
        assert report.counts["rewritten_turns"] == (not counter)


HAN = "".join(map(chr, range(0x4E00, 0x5100)))


@pytest.mark.parametrize("text", ["", "short", "/".join(map(str, range(400))), HAN])
def test_windows_cover_a_text_in_its_order(text):
    parts = windows(text)
    assert text.startswith(parts[0])
    assert text.endswith(parts[-1])
    assert all(len(p) <= WINDOW for p in parts)
    place = 0
    for part in parts:
        found = text.find(part, max(place - WINDOW, 0))
        assert 0 <= found <= place, "no gap between a part and those before it"
        place = max(place, found + len(part))
    assert place == len(text)


def test_no_evaluation_record_is_written_into_the_set(rewriter):
    sealed = record("sealed", BETTER_QUESTION, BETTER)
    ctx, _ = rewriter(BETTER)
    ctx = replace(ctx, held_out=(sealed,))
    noisy = record("a", BETTER_QUESTION, ANSWER, flagged=True)
    out, report = build("rewrite_answer").run([noisy], ctx)
    assert out == [noisy]
    assert report.counts == {"rejected_evaluation": 1, "rewritten_turns": 0}


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        (None, []),
        (float("nan"), []),
        ("", []),
        ("[]", []),
        ("someone", ["someone"]),
        ('"someone"', ['"someone"']),
        ("[broken", ["[broken"]),
        ('["rewrite_answer"]', ["rewrite_answer"]),
        (["rewrite_question"], ["rewrite_question"]),
    ],
)
def test_a_set_that_was_rewritten_before_is_marked_again(rewriter, marked, expected):
    ctx, _ = rewriter(BETTER)
    records = [record("a", QUESTION, ANSWER, flagged=True, meta={"rewritten_by": marked})]
    out, _ = build("rewrite_answer").run(records, ctx)
    assert out[0].meta["rewritten_by"] == [*expected, "rewrite_answer"]


def test_checks_can_be_relaxed(rewriter):
    records = [record("a", QUESTION, ANSWER, flagged=True)]
    ctx, _ = rewriter(BETTER.replace("a day", "in 24 hours"))
    assert build("rewrite_answer", {"numbers": "kept"}).run(records, ctx)[1].changed == 1
    ctx, _ = rewriter(BETTER.replace("500 mg", "some"))
    assert build("rewrite_answer", {"numbers": "kept"}).run(records, ctx)[1].changed == 0
    assert build("rewrite_answer", {"numbers": "any"}).run(records, ctx)[1].changed == 1


def test_every_turn_of_a_conversation(rewriter):
    talk = record(
        "t",
        "how r u feeling tooday?",
        "me feel badly sick tooday.",
        "since wen r u sick?",
        "me sick since mondy.",
    )
    fixed = {
        "me feel badly sick tooday.": "I feel very sick today.",
        "me sick since mondy.": "I am sick since Monday.",
    }

    def repair(body):
        asked = body["messages"][-1]["content"]
        return next(new for old, new in fixed.items() if old in asked)

    ctx, peer = rewriter(repair)
    params = {"min_similarity": 0.3}
    out, _ = build("rewrite_answer", params).run([talk], ctx)
    assert [m.content for m in out[0].messages[1::2]] == list(fixed.values())
    assert [m.content for m in out[0].messages[::2]] == [m.content for m in talk.messages[::2]]
    assert len(peer.requests) == 2
    out, _ = build("rewrite_answer", params | {"all_turns": False}).run([talk], ctx)
    assert [m.content for m in out[0].messages[1::2]] == [
        talk.messages[1].content,
        fixed[talk.messages[3].content],
    ]


def test_empty_and_long_turns_are_not_asked_about(rewriter):
    records = [record("e", "why?", ""), record("l", "why?", "because " * 1000)]
    ctx, peer = rewriter("x")
    out, report = build("rewrite_answer").run(records, ctx)
    assert out == records
    assert report.counts == {"skipped_long": 1, "rewritten_turns": 0}
    assert peer.requests == []


def test_the_rewriter_sees_criteria_in_order_and_room_for_the_length(rewriter):
    ctx, peer = rewriter(BETTER)
    ctx.task = "Answers questions of nurses."
    build("rewrite_answer").run([record("a", QUESTION, ANSWER, flagged=True)], ctx)
    body = peer.requests[0]
    assert "accuracy, safety, fluency, concision" in body["system"]
    assert "Answers questions of nurses." in body["system"]
    assert QUESTION in body["messages"][-1]["content"]
    assert body["max_tokens"] >= 1.3 * len(ANSWER) / 4
    assert body["temperature"] == 0
