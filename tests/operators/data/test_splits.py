"""Question sets never share a question, with each other or with training."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.data.records import Message, Record, conversation_digest
from operators.data.splits import Splits, question_key, split, without
from operators.errors import DataError


def record(i: int, question: str, answer: str = "yes", flagged: bool | None = False) -> Record:
    return Record(str(i), (Message("user", question), Message("assistant", answer)), {}, flagged)


def questions(n: int, flagged: bool | None = False, start: int = 0) -> list[Record]:
    return [record(i, f"what is {i}?", f"it is {i}", flagged) for i in range(start, start + n)]


def sets(parts: Splits) -> list[list[Record]]:
    return [parts.search, parts.judge, parts.sealed]


RECORDS = st.lists(
    st.tuples(
        st.sampled_from(["a", "A", "a ", "b", "c d", "c  d", "e", "f", "g", "h", ""]),
        st.sampled_from(["", "x", "y"]),
        st.sampled_from([True, False, None]),
    ),
    min_size=8,
    max_size=30,
)


@given(RECORDS, st.none() | RECORDS, st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_no_question_crosses_two_sets(rows: list, evaluation: list | None, seed: int) -> None:
    records = [record(i, *row) for i, row in enumerate(rows)]
    other = None if evaluation is None else [record(100 + i, *row) for i, row in enumerate(evaluation)]
    try:
        parts = split(records, search=1, judge=2, sealed=1, seed=seed, evaluation=other)
    except DataError:
        asked_for = [r for r in records if r.flagged is not True] if other is None else other
        usable = {question_key(r) for r in asked_for if r.question.strip() and r.answer.strip()}
        if other is None:
            left = len({question_key(r) for r in records}) - 4
        else:
            left = len({conversation_digest(r) for r in records} - {conversation_digest(r) for r in other})
        assert len(usable) < 4 or left <= 0
        return
    assert [len(s) for s in sets(parts)] == [1, 2, 1]
    keys = [question_key(r) for s in sets(parts) for r in s]
    assert len(set(keys)) == 4
    assert all(r.question.strip() and r.answer.strip() for r in parts.held_out)
    if other is None:
        assert not set(keys) & {question_key(r) for r in parts.train}
        assert all(r.flagged is not True for r in parts.held_out)
        assert len(parts.train) + parts.removed + 4 == len(records)
    else:
        seen = {conversation_digest(r) for r in other}
        assert parts.train == [r for r in records if conversation_digest(r) not in seen]
        assert len(parts.train) + parts.removed == len(records)
    assert parts.train


def test_the_draw_depends_on_the_seed_and_not_on_the_order() -> None:
    records = questions(40)
    shuffled = random.Random(5).sample(records, len(records))
    sizes = {"search": 4, "judge": 5, "sealed": 6}
    first = split(records, seed=1, **sizes)
    assert sets(split(shuffled, seed=1, **sizes)) == sets(first)
    assert sets(split(records, seed=2, **sizes)) != sets(first)
    ranked = sorted(range(40), key=lambda i: hashlib.sha256(f"1:what is {i}?".encode()).hexdigest())
    assert [r.id for r in first.held_out] == [str(i) for i in ranked[:15]], "the same on every machine"


def test_clean_records_are_held_out_first_and_flagged_ones_never() -> None:
    records = [*questions(10), *questions(10, None, 10), *questions(10, True, 20)]
    parts = split(records, search=3, judge=3, sealed=3, seed=0)
    assert {r.flagged for r in parts.held_out} == {False}
    more = split(records, search=5, judge=5, sealed=5, seed=0)
    assert sum(r.flagged is False for r in more.held_out) == 10
    assert sum(r.flagged is None for r in more.held_out) == 5
    assert any(r.flagged is False for r in more.sealed), "the fallback is mixed over all three sets"


def test_records_that_ask_a_held_out_question_again_leave_training() -> None:
    records = questions(6) + [replace(r, id=f"{r.id}-copy", flagged=True) for r in questions(6)]
    parts = split(records, search=1, judge=1, sealed=1, seed=0)
    assert parts.removed == 3
    assert len(parts.train) == 6


def test_an_evaluation_set_is_cleaned_and_kept_out_of_training() -> None:
    evaluation = [*questions(5), *questions(2), record(50, "", "a"), record(51, "q", " ")]
    records = [*questions(1), record(7, "what is 1?", "a different answer"), record(8, "other")]
    parts = split(records, search=1, judge=2, sealed=2, seed=0, evaluation=evaluation)
    assert (parts.removed, parts.duplicates) == (1, 2)
    assert [r.id for r in parts.train] == ["7", "8"]
    assert [r.id for r in without(records, parts.held_out)] == ["8"]
    assert [r.id for r in without(records, evaluation, same="conversation")] == ["7", "8"]


@pytest.mark.parametrize("as_evaluation", [False, True])
def test_a_question_without_an_answer_after_it_is_none_to_hold_out(as_evaluation: bool) -> None:
    # The assistant's greeting answers nothing, though the record has a question and an assistant's turn.
    greetings = [
        Record(f"g{i}", (Message("assistant", "Hello"), Message("user", f"what is {i}?")), {}, False)
        for i in range(50, 90)
    ]
    records = [*questions(5), *greetings]
    evaluation = records if as_evaluation else None
    parts = split([*records, *questions(3, start=10)], search=1, judge=2, sealed=2, seed=0, evaluation=evaluation)
    assert not {r.id for r in parts.held_out} & {r.id for r in greetings}


@pytest.mark.parametrize("evaluation", [None, questions(5)])
def test_too_few_questions_say_how_many_and_what_to_lower(evaluation: list[Record] | None) -> None:
    records = [*questions(5), *questions(5, True, 5)]
    with pytest.raises(DataError) as error:
        split(records, search=2, judge=2, sealed=3, seed=0, evaluation=evaluation)
    for part in ("7", "search 2 + judge 2 + sealed 3", "5", "data.search_questions", "data.judge_questions"):
        assert part in str(error.value)
    assert "data.sealed_questions" in str(error.value)


def test_something_must_be_left_to_train_on() -> None:
    with pytest.raises(DataError, match="besides something to train on"):
        split(questions(3), search=1, judge=1, sealed=1, seed=0)
    with pytest.raises(DataError, match="nothing is left to train on"):
        split(questions(3), search=1, judge=1, sealed=1, seed=0, evaluation=questions(4))


@pytest.mark.parametrize("evaluation", [None, questions(12)])
def test_questions_that_do_not_fit_are_passed_over(evaluation: list[Record] | None) -> None:
    records = [*questions(12), *questions(5, True, 20)]
    sizes = {"search": 2, "judge": 2, "sealed": 2}
    every = split(records, seed=0, evaluation=evaluation, **sizes).held_out
    fitting = split(records, seed=0, evaluation=evaluation, fits=lambda r: r != every[0], **sizes).held_out
    assert every[0] not in fitting
    assert fitting[:5] == every[1:], "the others are drawn as before"
    with pytest.raises(DataError, match=r"less 12 that leave no room for an answer within training.max_length"):
        split(records, seed=0, evaluation=evaluation, fits=lambda _: False, **sizes)
