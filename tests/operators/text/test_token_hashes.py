"""Tokens and n-grams by array arithmetic, against a plain implementation of the same definition."""

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.text.tokens import chunks, count_tokens, ngram_hashes, token_hashes, token_spans

CHARACTERS = st.text("aBc é1_-.,\n糖尿病のไทยनमस्ते한국\U0001f600\ud800", max_size=40)
ALONE = re.compile("[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")


def plain_tokens(text):
    tokens, word = [], ""
    for c in [*text, " "]:
        inside = unicodedata.category(c)[0] in "LMN"
        if inside and not ALONE.match(c):
            word += c.lower()
            continue
        tokens += [t for t in (word, c if inside else "") if t]
        word = ""
    return tokens


@settings(max_examples=150, deadline=None)
@given(st.lists(CHARACTERS, max_size=6), st.integers(1, 6))
def test_equal_hashes_exactly_where_tokens_are_equal(texts, n):
    plain = [plain_tokens(t) for t in texts]
    found = token_hashes(texts)
    assert found.sizes.tolist() == [len(t) for t in plain]
    flat = [t for tokens in plain for t in tokens]
    assert len(set(found.hashes.tolist())) == len(set(flat))
    assert len(set(zip(flat, found.hashes.tolist(), strict=True))) == len(set(flat))

    grams = [[tuple(t[i : i + n]) for i in range(max(1, len(t) - n + 1))] if t else [] for t in plain]
    hashed = ngram_hashes(found, n)
    assert hashed.sizes.tolist() == [len(g) for g in grams]
    flat_grams = [g for gs in grams for g in gs]
    assert len(set(zip(flat_grams, hashed.hashes.tolist(), strict=True))) == len(set(flat_grams))


@settings(max_examples=50, deadline=None)
@given(st.lists(CHARACTERS, max_size=8))
def test_hashes_depend_on_the_text_alone(texts):
    together = token_hashes(texts)
    for i, text in enumerate(texts):
        own = together.hashes[together.offsets[i] : together.offsets[i + 1]]
        assert np.array_equal(own, token_hashes([text]).hashes)


def test_hashes_are_the_same_on_every_machine():
    assert (
        token_hashes(["Blood sugar 血糖"]).hashes.tolist()
        == token_hashes(["blood, SUGAR; 血 糖!"]).hashes.tolist()
    )
    assert [f"{h:016x}" for h in token_hashes(["blood 糖"]).hashes.tolist()] == [
        "75d05782c602d906",
        "4ad5bff2ae7d7715",
    ]


@pytest.mark.parametrize(
    ("text", "same", "other"),
    [
        ("T-score -2.5", "t score −2.5", "T-score +2.5"),
        ("2+2*3", "2 + 2 × 3", "2*2+3"),
        ("INR < 3", "inr ＜3", "INR > 3"),
        ("<= 5 %", "<=5%", ">=5 %"),
        ("$5", "$ 5", "€5"),
        ("10–20", "10 - 20", "10/20"),
        ("COVID-19, **5** and `b`", "covid 19 5 and b", "covid 19 +5 and b"),
        ("- 5 mg\n* 6 mg\n*7* mg", "5 mg 6 mg 7 mg", "5 mg -6 mg 7 mg"),
        ("(-5)", "-5", "5"),
        ("end. .5 mg ...", "end .5 mg", "end. 5 mg"),
        ("2^3", "2 ^ 3", "2*3"),
    ],
)
def test_signs_beside_numbers_count_where_asked(text, same, other):
    hashes = [token_hashes([t], signs=True).hashes.tolist() for t in (text, same, other)]
    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]


def test_a_sign_takes_in_its_number_so_that_bags_of_tokens_differ():
    first, second = (set(token_hashes([t], signs=True).hashes.tolist()) for t in ("2+2*3", "2*2+3"))
    assert len(first & second) == 2


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("a1 2+-*<=%$(\n糖×½", max_size=12), max_size=6))
def test_signs_depend_on_the_text_alone_and_without_them_nothing_changes(texts):
    together = token_hashes(texts, signs=True)
    for i, text in enumerate(texts):
        own = together.hashes[together.offsets[i] : together.offsets[i + 1]]
        assert np.array_equal(own, token_hashes([text], signs=True).hashes)
        if not set(text) & set("+-*<=%$×"):
            assert np.array_equal(own, token_hashes([text]).hashes)


def test_spans_point_at_the_tokens():
    text = "The heart's 心 beat."
    _, starts, ends = token_spans(text)
    assert [text[a:b] for a, b in zip(starts, ends, strict=True)] == ["The", "heart", "s", "心", "beat"]


@pytest.mark.parametrize("chars", [1, 7, 100])
def test_chunks_cover_every_text_once(chars):
    texts = ["a" * n for n in (0, 3, 9, 0, 1, 20, 0)]
    assert [t for _, run in chunks(texts, chars) for t in run] == texts
    assert next(i for i, _ in chunks(texts, chars)) == 0


def test_counts_across_chunks():
    texts = ["one two"] * 50_000
    assert count_tokens(texts).tolist() == [2] * 50_000
