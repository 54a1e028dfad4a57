"""Counts of characters and words, against counting them one by one."""

from __future__ import annotations

import unicodedata
from collections import Counter
from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.targeting import words as words_module
from operators.targeting.characters import characters
from operators.targeting.words import Vocabulary, is_mixed

TEXTS = st.text(max_size=30) | st.text("aA .,:;'\"“«*_`#<&[]{}\\\t\n\u2028\xad½२É\U0001f600\ud800", max_size=30)
WORDS = st.lists(
    st.sampled_from(["a", "A", "Dose", "dose", "DOSE", "x-ray", "a1", "aB", "İ", "ſ", "mg/d@y"]), max_size=30
)


@given(text=TEXTS)
def test_every_character_is_counted_once_by_its_kind(text):
    has = characters(text)
    categories = Counter(map(unicodedata.category, text))

    def of(*begin: str) -> int:
        return sum(n for category, n in categories.items() if category.startswith(begin))

    assert has.capitals == of("Lu")
    assert has.letters == of("L", "M") - has.capitals
    assert has.digits == of("Nd")
    assert has.punctuation == of("P")
    assert has.symbols == of("S")
    assert has.controls == of("C", "Zl", "Zp")
    assert has.spaces == of("Zs")
    assert has.others == of("Nl", "No")


@given(text=TEXTS)
def test_marks_are_counted_by_their_group(text):
    has = characters(text)
    assert has.commas == sum(map(text.count, ",;،؛、，；"))
    assert has.colons == sum(map(text.count, ":：︰"))
    assert has.quotes == sum(map(text.count, "\"'“”„‘’«»「」『』"))
    assert has.emphasis == sum(map(text.count, "*_`#"))
    assert has.brackets == sum(map(text.count, "<&[]{}\\"))


@given(texts=st.lists(WORDS, min_size=1, max_size=4))
def test_words_are_described_whatever_was_asked_before(texts):
    vocabulary = Vocabulary({"dose": 3, "A": 1})
    for written in texts:
        found, lower = vocabulary.words(written), [w.lower() for w in written]
        assert found.total == len(written)
        assert found.mixed == sum(map(is_mixed, written))
        assert found.distinct == len(set(lower))
        assert found.longest == max(map(len, lower), default=0)
        assert found.most_frequent == max((n for w, n in Counter(lower).items() if len(w) > 3), default=0)
        assert found.distinct_pairs == len(set(pairwise(lower)))
        assert found.longest_run == max((len(list(run)) for _, run in groupby(lower)), default=0)
        assert found.texts_with == [{"dose": 3, "A": 1}.get(w, 0) for w in written]


def test_a_vocabulary_that_is_full_begins_anew(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(words_module, "_REMEMBERED", 3)
    vocabulary = Vocabulary({"two": 2})
    assert vocabulary.words(["one", "two", "Three", "Three"]).texts_with == [0, 2, 0, 0]
    assert len(vocabulary) == 4  # "three" as well
    assert vocabulary.words(["two", "two"]).texts_with == [2, 2]
    assert len(vocabulary) == 1
