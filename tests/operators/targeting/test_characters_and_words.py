"""Counts of characters and words, against counting them one by one."""

from __future__ import annotations

import unicodedata
from collections import Counter
from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.targeting import words as words_module
from operators.targeting.characters import Characters, characters
from operators.targeting.words import Vocabulary, is_mixed

TEXTS = st.text(max_size=30) | st.text("aA .,:;'\"“«*_`#<&[]{}\\\t\n\u2028\xad½२É\U0001f600\ud800", max_size=30)
IN_TEXTS = {"dose": 3, "A": 1}
WORDS = st.lists(
    st.sampled_from(["a", "A", "Dose", "dose", "DOSE", "x-ray", "a1", "aB", "İ", "ſ", "mg/d@y"]), max_size=30
)


@given(texts=st.lists(TEXTS, min_size=1, max_size=3))
def test_every_character_is_counted_once_by_its_kind(texts):
    counted = zip(*characters(texts), strict=True)
    for text, has in zip(texts, map(Characters._make, counted), strict=True):
        categories = Counter(map(unicodedata.category, text))

        def of(*begin: str, categories: Counter[str] = categories) -> int:
            return sum(n for category, n in categories.items() if category.startswith(begin))

        assert has.capitals == of("Lu")
        assert has.letters == of("L", "M") - has.capitals
        assert has.digits == of("Nd")
        assert has.punctuation == of("P")
        assert has.symbols == of("S")
        assert has.controls == of("C", "Zl", "Zp")
        assert has.spaces == of("Zs")
        assert has.others == of("Nl", "No")


@given(texts=st.lists(TEXTS, min_size=1, max_size=3))
def test_marks_are_counted_by_their_group(texts):
    counted = zip(*characters(texts), strict=True)
    for text, has in zip(texts, map(Characters._make, counted), strict=True):
        assert has.commas == sum(map(text.count, ",;،؛、，；"))
        assert has.colons == sum(map(text.count, ":：︰"))
        assert has.quotes == sum(map(text.count, "\"'“”„‘’«»「」『』"))
        assert has.emphasis == sum(map(text.count, "*_`#"))
        assert has.brackets == sum(map(text.count, "<&[{}]\\"))


def test_of_no_texts_nothing_is_counted():
    assert [len(counts) for counts in characters([])] == [0] * 13
    assert [len(counts) for counts in Vocabulary({}).words([])] == [0] * 10


@given(asked=st.lists(st.lists(WORDS, max_size=4), min_size=1, max_size=3))
def test_words_are_described_whatever_was_asked_before(asked):
    vocabulary = Vocabulary(IN_TEXTS)
    for texts in asked:
        found = vocabulary.words(texts)
        for i, written in enumerate(texts):
            lower, part = [w.lower() for w in written], found.of == i
            assert found.total[i] == len(written) == part.sum()
            assert found.mixed[i] == sum(map(is_mixed, written))
            assert found.distinct[i] == len(set(lower))
            assert found.longest[i] == max(map(len, lower), default=0)
            assert found.most_frequent[i] == max((n for w, n in Counter(lower).items() if len(w) > 3), default=0)
            assert found.distinct_pairs[i] == len(set(pairwise(lower)))
            assert found.longest_run[i] == max((len(list(run)) for _, run in groupby(lower)), default=0)
            assert found.texts_with[part].tolist() == [IN_TEXTS.get(w, 0) for w in written]
            assert found.numbers[part].tolist() == vocabulary.number(written).tolist()


def test_a_full_vocabulary_forgets_what_no_text_of_the_set_has(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(words_module, "_REMEMBERED", 3)
    vocabulary = Vocabulary({"Two": 2})
    assert vocabulary.words([["one", "Two", "Three", "Three"]]).texts_with.tolist() == [0, 2, 0, 0]
    assert len(vocabulary) == 5  # "two" and "three" as well
    found = vocabulary.words([["three", "Two"]])
    assert found.texts_with.tolist() == [0, 2]
    assert found.longest.tolist() == [5]
    assert set(vocabulary) == {"Two", "two", "three"}
