"""Words as numbers: what there is to know of a word is found out once, and of many texts' words at a stroke."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, groupby, pairwise
from typing import NamedTuple

import numpy as np

from operators.targeting.columns import Counts

_REMEMBERED = 1 << 17
"""Words beyond those of the set, after which a vocabulary forgets them."""
_LONG = 4
"""Characters of a word that may well stand once in a text."""
_JOINTS = re.compile(r"[-'’/,，、。．；：！？（）《》「」『』“”·]")
"""Signs that may stand inside what white space divides: scripts that write none have them between words."""


class Words(NamedTuple):
    """The words of n texts.

    Arrays of shape (n,): how many words a text has (`total`), how many of them are mixed (`is_mixed`) and how many
    distinct; the characters of the longest; how often the most frequent long one stands; how many pairs of words
    that follow each other are distinct; and how often one word follows itself, at most. Arrays of shape (all
    words,), text after text: their numbers in the vocabulary, in how many texts of the set each is, and which of
    the n texts it belongs to (`of`). Letter case counts for the mixed words and for the texts that have a word.
    """

    total: Counts
    mixed: Counts
    distinct: Counts
    longest: Counts
    most_frequent: Counts
    distinct_pairs: Counts
    longest_run: Counts
    numbers: Counts
    texts_with: Counts
    of: Counts


class Vocabulary(dict[str, int]):
    """A number for every word that was asked for. `texts_with` says how many texts of the set have a word; the
    numbers of these are the lowest, and stay."""

    def __init__(self, texts_with: Mapping[str, int]) -> None:
        super().__init__()
        self._texts_with = texts_with
        self._new: list[tuple[int, int, bool, int]] = []
        self._facts = np.empty((0, 4), np.int64)
        """By number: that of the lower case, the characters, whether the word is mixed, how many texts have it."""
        self.number(texts_with)
        self.own = len(self)
        """From this number up, words are of no text of the set, and may be forgotten."""

    def __missing__(self, word: str) -> int:
        lower = word.lower()
        of_lower = self[lower] if lower != word else len(self)
        self[word] = number = len(self)
        self._new.append((of_lower, len(word), is_mixed(word), self._texts_with.get(word, 0)))
        return number

    def number(self, words: Iterable[str]) -> Counts:
        """The words' numbers, in order."""
        numbers = np.fromiter(map(self.__getitem__, words), np.int64)
        if self._new:
            self._facts = np.concatenate([self._facts, np.array(self._new, np.int64)])
            self._new.clear()
        return numbers

    def words(self, texts: Sequence[Sequence[str]]) -> Words:
        """Describes texts, each given as its words in order."""
        if len(self) - self.own >= _REMEMBERED:
            self._forget()
        numbers = self.number(chain.from_iterable(texts))
        lower, _, mixed, texts_with = self._facts[numbers].T
        total = np.array([len(text) for text in texts], np.int64)
        of = np.repeat(np.arange(len(texts)), total)
        # One number for a word and its text, and for two that follow each other: equal ones are sorted together.
        size = max(1, len(self))
        begins, times = _runs(np.sort(of * size + lower))
        text, word = np.divmod(begins, size)
        lengths = self._facts[word, 1]
        longest, most_frequent = np.zeros((2, len(texts)), np.int64)
        np.maximum.at(longest, text, lengths)
        np.maximum.at(most_frequent, text, np.where(lengths >= _LONG, times, 0))
        follows = of[1:] == of[:-1]
        pairs = ((of[1:] * size + lower[1:]) * size + lower[:-1])[follows]
        distinct_pairs, _ = _runs(np.sort(pairs))
        longest_run, ends = np.minimum(1, total), np.cumsum(total)
        for again in np.unique(of[1:][follows & (lower[1:] == lower[:-1])]).tolist():
            own = lower[ends[again] - total[again] : ends[again]].tolist()
            longest_run[again] = max(sum(1 for _ in run) for _, run in groupby(own))
        return Words(
            total,
            np.bincount(of, mixed, len(texts)).astype(np.int64),
            np.bincount(text, minlength=len(texts)),
            longest,
            most_frequent,
            np.bincount(distinct_pairs // size**2, minlength=len(texts)),
            longest_run,
            numbers,
            texts_with,
            of,
        )

    def _forget(self) -> None:
        while len(self) > self.own:
            self.popitem()  # the last one that came
        self._facts = self._facts[: self.own]


def _runs(rising: Counts) -> tuple[Counts, Counts]:
    """The distinct ones of rising numbers, and how often each stands there."""
    first = np.ones(len(rising), bool)
    np.not_equal(rising[1:], rising[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    return rising[starts], np.diff(starts, append=len(rising))


def is_mixed(word: str) -> bool:
    """Whether a sign stands between a word's letters or digits, or a small letter before a capital one."""
    inner = word.strip(".,;:!?()[]\"'")
    if inner.isalpha() and (inner.islower() or inner.istitle()):
        return False
    inner = "".join(c for c in _JOINTS.sub("", inner) if c.isascii() or unicodedata.category(c)[0] != "M")
    return bool(inner) and (not inner.isalnum() or any(a.islower() and b.isupper() for a, b in pairwise(inner)))
