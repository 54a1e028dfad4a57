"""The canonical record."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.data.records import Message, Record, conversation_digest, training_digest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
RECORDS = st.builds(
    Record,
    st.text(max_size=5),
    st.lists(
        st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.text(max_size=8)), max_size=4
    ).map(tuple),
    st.dictionaries(st.text(max_size=4), JSON, max_size=3),
    st.sampled_from([True, False, None]),
)
CHAT = Record(
    "c",
    (
        Message("system", "s"),
        Message("user", "q1"),
        Message("assistant", "a1"),
        Message("user", "q2"),
        Message("assistant", "a2"),
    ),
    {"generated_by": "new_pairs"},
)


@given(RECORDS)
@settings(max_examples=150, deadline=None)
def test_json_is_one_line_and_reversible(record: Record) -> None:
    line = record.to_json()
    assert "\n" not in line
    assert "\r" not in line
    assert Record.from_json(line) == record
    assert Record.from_json(line.encode("utf-8", "surrogatepass")) == record


def test_equal_records_are_equal_lines_whatever_the_order_of_their_columns() -> None:
    one, other = Record("r", (), {"b": 1, "a": {"z": 1, "y": 2}}), Record("r", (), {"a": {"z": 1, "y": 2}, "b": 1})
    assert one.to_json() == other.to_json()
    assert list(Record.from_json(one.to_json()).meta["a"]) == ["z", "y"]


def test_question_is_the_first_and_answer_the_last() -> None:
    assert (CHAT.question, CHAT.answer, CHAT.generated_by) == ("q1", "a2", "new_pairs")
    assert CHAT.text == "s\nq1\na1\nq2\na2"
    empty = Record("e", (Message("system", "s"),))
    assert (empty.question, empty.answer, empty.generated_by) == ("", "", None)
    assert Record("e", empty.messages, {"generated_by": ""}).generated_by is None


def test_what_is_answered_ends_before_the_last_answer() -> None:
    assert CHAT.before_answer == CHAT.messages[:4]
    assert Record("o", CHAT.messages[:4]).before_answer == CHAT.messages[:2], "what follows an answer is not asked"
    assert Record("u", CHAT.messages[:2]).before_answer == CHAT.messages[:2]
    assert Record("a", CHAT.messages[2:4]).before_answer == ()


def test_replacing_turns() -> None:
    assert [m.content for m in CHAT.with_question("new").messages] == ["s", "new", "a1", "q2", "a2"]
    assert [m.content for m in CHAT.with_answer("new").messages] == ["s", "q1", "a1", "q2", "new"]
    assert CHAT.with_answer("a2") is CHAT
    with pytest.raises(ValueError, match="no assistant turn"):
        Record("u", (Message("user", "q"),)).with_answer("a")
    with pytest.raises(ValueError, match="expected 5 contents, got 1"):
        CHAT.with_contents(["x"])


@given(st.lists(RECORDS, max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_training_digest_sees_the_multiset_of_conversations_only(records: list[Record], random) -> None:  # type: ignore[no-untyped-def]
    shuffled = random.sample(records, len(records))
    renamed = [Record(f"other-{i}", r.messages) for i, r in enumerate(shuffled)]
    assert training_digest(renamed) == training_digest(records)
    if records:
        assert training_digest([*records, records[0]]) != training_digest(records)


def test_conversation_digest_keeps_turns_apart() -> None:
    def turns(*pairs: tuple) -> Record:
        return Record("x", tuple(Message(*p) for p in pairs))

    different = [
        turns(("user", "ab"), ("assistant", "c")),
        turns(("user", "a"), ("assistant", "bc")),
        turns(("assistant", "ab"), ("user", "c")),
        turns(("user", "ab")),
    ]
    assert len({conversation_digest(r) for r in different}) == 4
