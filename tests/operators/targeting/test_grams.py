"""Rarity, shares and closeness of grams, against plain sets of strings."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from operators.targeting.grams import MAX_CHARACTERS, KnownTexts, grams

TEXTS = st.text("ab .\u2003\0\U0001f600İß医", max_size=12)
SETS = st.lists(TEXTS, max_size=6)


def plain(text: str) -> tuple[set[str], set[str]]:
    """Characters and trigrams."""
    text = text.lower()
    return set(text), {text[i : i + 3] for i in range(len(text) - 2)}


def rarity_of(gram: str, texts: list[set[str]]) -> float:
    return math.log((len(texts) + 1) / (sum(gram in t for t in texts) + 1))


def rarity(known: list[str], text: str, source: int) -> dict[str, float]:
    texts = KnownTexts(dict(enumerate(known)))
    return {name: float(value) for name, [value] in texts.rarity([texts.find(grams(text))], [source]).items()}


@given(text=TEXTS)
def test_grams_are_the_distinct_characters_and_trigrams(text):
    assert len(grams(text)) == sum(map(len, plain(text)))


def test_grams_of_two_texts_are_equal_only_where_the_texts_share_them():
    assert set(grams("ab\0")) & set(grams("b\0\0")) == set(grams("b\0"))
    assert len(grams("a\ud800b")) == 4  # half a character, as broken files have
    assert len(grams("x" * MAX_CHARACTERS + "yz")) == 2


@given(known=SETS, text=TEXTS)
def test_rarity_counts_the_texts_that_have_a_gram(known, text):
    found = rarity(known, text, -1)
    characters, trigrams = plain(text)
    sets = [set.union(*plain(t)) for t in known]
    three = sorted(rarity_of(g, sets) for g in trigrams)
    one = [rarity_of(g, sets) for g in characters]
    assert found["rarity"] == pytest.approx(sum(three) / len(three) if three else math.nan, nan_ok=True)
    assert found["rarity_high"] == pytest.approx(three[int(0.9 * len(three))] if three else math.nan, nan_ok=True)
    assert found["rarest_character"] == pytest.approx(max(one, default=math.nan), nan_ok=True)
    assert found["rare_characters"] == sum(v > 3 for v in one)


@given(known=SETS.filter(bool), text=TEXTS)
def test_a_source_does_not_count(known, text):
    """As if it said nothing: the number of texts stays."""
    without = rarity(["", *known[1:]], text, -1)
    assert rarity(known, text, 0) == pytest.approx(without, nan_ok=True)


@given(known=SETS, text=TEXTS, at_least=st.floats(0, 1))
@example(["ab"], "", 0.0)
def test_closeness_is_the_highest_jaccard_similarity(known, text, at_least):
    texts = KnownTexts(dict(enumerate(known)))
    mine = set.union(*plain(text))
    similar = [len(mine & t) / max(1, len(mine | t)) for t in (set.union(*plain(k)) for k in known)]
    found = texts.find(grams(text))
    for _ in range(2):  # a call leaves nothing behind
        assert texts.closest(found, range(len(known)), at_least) == max([at_least, *similar])
    assert texts.closest(found, [], at_least) == at_least


@given(known=SETS, asked=TEXTS, answered=TEXTS)
def test_what_is_shared_weighs_by_its_rarity(known, asked, answered):
    sets = [set.union(*plain(t)) for t in known]
    weights = {g: rarity_of(g, sets) for g in plain(asked)[1] if not (g[0].isspace() or g[-1].isspace())}
    total = sum(weights.values())
    share = sum(w for g, w in weights.items() if g in plain(answered)[1]) / total if total > 0 else math.nan
    texts = KnownTexts(dict(enumerate(known)))
    found = texts.shared(texts.find(grams(asked)), grams(answered))
    assert found == pytest.approx(share, nan_ok=True)
