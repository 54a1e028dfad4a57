"""Each corruption does what it says, on whatever pair it meets."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.example.corruptions import CORRUPTIONS, Pair

WORDS = st.lists(st.text("abcdefghij", min_size=1, max_size=9), min_size=8, max_size=40)
PAIRS = st.builds(
    Pair, WORDS.map(lambda w: "What is " + " ".join(w[:3]) + "?"), WORDS.map(lambda w: " ".join(w) + ".")
)
PAIR = Pair("What is a narrow palate?", "A palate that is narrower than usual, as seen from below in most people.")
OTHER = Pair("What is fever?", "A body temperature above the normal range of the person concerned.")


@pytest.mark.parametrize("kind", CORRUPTIONS)
@given(pair=PAIRS, seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_spoils_every_pair_the_same_way_twice(kind, pair, seed):
    spoil = CORRUPTIONS[kind][0]
    once = spoil(pair, OTHER, Random(seed))
    assert once != pair
    assert once == spoil(pair, OTHER, Random(seed))


def test_shares_are_a_whole():
    assert sum(share for _, share in CORRUPTIONS.values()) == pytest.approx(1)


def spoiled(kind, seed):
    return CORRUPTIONS[kind][0](PAIR, OTHER, Random(seed))


@pytest.mark.parametrize("seed", range(20))
def test_what_each_kind_leaves(seed):
    assert spoiled("wrong_answer", seed) == Pair(PAIR.question, OTHER.answer)
    assert len(spoiled("truncation", seed).answer) < 0.8 * len(PAIR.answer)
    assert len(spoiled("repetition", seed).answer) > 1.2 * len(PAIR.answer)
    assert (
        "<" in spoiled("markup", seed).answer
        or "](" in spoiled("markup", seed).answer
        or "http" in spoiled("markup", seed).answer
    )
    assert "@example." in spoiled("contacts", seed).answer or "555-01" in spoiled("contacts", seed).answer
    assert spoiled("missing_answer", seed) == Pair(PAIR.question, "")
    assert spoiled("missing_question", seed) == Pair("", PAIR.answer)
    copy = spoiled("near_duplicate", seed).answer.lower().split()
    assert len(set(copy) & set(PAIR.answer.lower().split())) >= 0.5 * len(set(PAIR.answer.split()))
