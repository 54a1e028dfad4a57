"""Sets that no classifier can learn from: a clear message or a sane result, never a crash."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from operators.data.records import Message, Record
from operators.errors import ConfigError, DataError
from operators.record_vectors import embed_records
from operators.targeting import Targeting, flag_records
from operators.targeting.classifier import with_labels
from operators.targeting.flagging import _lacks_side

PARTS = ("heart", "liver", "lung", "kidney", "brain", "skin", "bone", "eye", "ear", "nose")


def pairs(n: int) -> list[tuple[str, str]]:
    return [
        (f"What is swelling {i} of the {PARTS[i % 10]}?", f"It is growth number {i} of the {PARTS[i % 10]}.")
        for i in range(n)
    ]


def flagged(sides: Sequence[tuple[str, str]], **options) -> Targeting:
    records = [Record(str(i), (Message("user", q), Message("assistant", a))) for i, (q, a) in enumerate(sides)]
    vectors = embed_records(records, len(records))
    found = flag_records(records, vectors, **{"precision": 0.8, "seed": 0, **options})
    assert len(found.flags) == len(found.probabilities) == len(records)
    assert np.isfinite(found.probabilities).all()
    assert ((found.probabilities >= 0) & (found.probabilities <= 1)).all()
    return found


@pytest.mark.parametrize("n", [0, 19])
def test_too_few_records_are_undecided(n):
    found = flagged(pairs(n)) if n else flag_records([], np.empty((0, 2, 384)), precision=0.8, seed=0)
    assert found.flags == [None] * n
    assert f"{n} records are too few to tell good from bad (at least 20)" in found.note


def test_twenty_records_are_scored():
    found = flagged([*pairs(17), ("What is a cyst?", ""), ("", "It is a sac."), ("What is <b>pus</b>?", "<p><p>")])
    assert "No labels were used" in found.note


@pytest.mark.parametrize("label", [True, False])
def test_labels_of_one_class_are_set_aside_and_said_so(label):
    found = flagged(pairs(40), labels=[label] * 40)
    assert "are too few (5 each): set aside" in found.note
    assert found.flags == flagged(pairs(40)).flags


def test_labels_that_contradict_each_other_decide_nothing():
    """Every record stands there twice, once labelled low and once clean, in either order."""
    rng = np.random.default_rng(0)
    labels = [bool(v) for first in rng.random(60) < 0.5 for v in (first, not first)]
    found = flagged([p for p in pairs(60) for _ in range(2)], labels=labels)
    assert found.flags == [None] * 120


def test_labels_that_tell_nothing_about_each_other_are_set_aside():
    """As where people have marked some of the bad records, and nothing tells these from the others."""
    nothing, everyone = np.zeros((40, 3)), np.ones(40, bool)
    target = np.arange(40) % 4 > 0
    assert with_labels(nothing, target, everyone, np.full(40, 0.5), np.arange(40), 0) is None
    given = [True] * 38 + [False] * 7 + [None] * 15
    labels = [given[i] for i in np.random.default_rng(0).permutation(60)]
    found = flagged(pairs(60), labels=labels)
    assert "38 labels of low quality and 7 of clean told nothing about each other: set aside" in found.note
    assert found.flags == flagged(pairs(60)).flags


def test_no_label_at_all_is_no_label():
    assert flagged(pairs(20), labels=[None] * 20).flags == flagged(pairs(20)).flags


@pytest.mark.parametrize(
    "sides",
    [
        [("", "")] * 30,
        [("", ""), *pairs(30)],
        [(" \n", "\u200b")] * 30,
        [("", a) for _, a in pairs(30)],
        [(q, "") for q, _ in pairs(30)],
        [("a", "b")] * 30,
        [("\ud800 lone", "\udfff surrogate"), ("\x00", "\x00\x01"), *pairs(30)],
        [("word " * 10_000, "x" * 50_000), *pairs(30)],
    ],
    ids=["empty", "one empty", "blank", "no questions", "no answers", "letters", "no text", "giant"],
)
def test_texts_that_say_nothing(sides):
    flagged(sides)


def test_a_side_that_is_missing_is_low_quality_unless_a_label_says_otherwise():
    sides = pairs(60)
    for i in (7, 9):
        sides[i] = ("", sides[i][1])
    sides[31] = (sides[31][0], " ")
    labels = [False if i == 9 else None for i in range(60)]
    found = flagged(sides, labels=labels)
    assert found.flags[7] is True
    assert found.flags[31] is True
    assert found.probabilities[9] < found.probabilities[7]


def test_a_question_is_missing_whatever_the_system_says():
    records = [
        Record(str(i), (Message("system", "You are a nurse."), Message("user", q), Message("assistant", a)))
        for i, (q, a) in enumerate([("", a) if i in (7, 9) else (q, a) for i, (q, a) in enumerate(pairs(60))])
    ]
    chats = [
        Record(r.id, (*r.messages, Message("user", "And then?"), Message("assistant", "Rest."))) for r in records
    ]
    chats[31] = Record("31", (*chats[31].messages[:-1], Message("assistant", " ")))
    assert {i for i, lacks in enumerate(_lacks_side(records, [None] * 60)) if lacks} == {7, 9}
    assert {i for i, lacks in enumerate(_lacks_side(chats, [None] * 60)) if lacks} == {7, 9, 31}


def test_identical_rows_stop_no_neighbour_search_and_no_tree():
    """More of them than statistics are taken from."""
    assert "No labels were used" in flagged([pairs(1)[0]] * 6000).note


def test_equal_records_get_equal_verdicts():
    """But for the first of its kind, which repeats none before it."""
    found = flagged([pairs(1)[0]] * 300)
    assert len(set(found.flags[1:])) == 1
    found = flagged([*pairs(50), *[("What is <b>pus</b>?", "pus pus pus pus")] * 30])
    assert len(set(found.flags[51:])) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_embeddings_that_are_no_numbers_are_named(value):
    sides = pairs(30)
    records = [Record(str(i), (Message("user", q), Message("assistant", a))) for i, (q, a) in enumerate(sides)]
    vectors = np.ones((30, 2, 8), np.float32)
    vectors[[4, 9], [0, 1], 2] = value
    with pytest.raises(DataError, match=r"2 of 30 embeddings are not finite \(rows 4, 9\)"):
        flag_records(records, vectors, precision=0.8, seed=0)


def test_what_does_not_fit_together_is_refused():
    records = [Record(str(i), (Message("user", "q"), Message("assistant", "a"))) for i in range(30)]
    with pytest.raises(DataError, match="two vectors a record"):
        flag_records(records, np.ones((29, 2, 8)), precision=0.8, seed=0)
    with pytest.raises(DataError, match="one label a record, got 3 for 30"):
        flag_records(records, np.ones((30, 2, 8)), precision=0.8, seed=0, labels=[True, False, None])
    with pytest.raises(ConfigError, match=r"targeting\.precision is 1"):
        flag_records(records, np.ones((30, 2, 8)), precision=1, seed=0)
