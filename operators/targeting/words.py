"""Words as numbers: what there is to know of a word is found out once, and of a text's words at a stroke."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby, pairwise
from operator import eq
from typing import NamedTuple

_REMEMBERED = 1 << 17
"""Words, after which a vocabulary begins anew."""
_LONG = 4
"""Characters of a word that may well stand once in a text."""
_JOINTS = re.compile(r"[-'’/,，、。．；：！？（）《》「」『』“”·]")
"""Signs that may stand inside what white space divides: scripts that write none have them between words."""


class Words(NamedTuple):
    """How many words a text has (`total`), how many of them are mixed (`is_mixed`) and how many distinct; the
    characters of the longest; how often the most frequent long one stands; how many pairs of words that follow
    each other are distinct; how often one word follows itself, at most; and in how many texts of the set each word
    is, in order. Letter case counts for the mixed words and for the texts that have a word."""

    total: int
    mixed: int
    distinct: int
    longest: int
    most_frequent: int
    distinct_pairs: int
    longest_run: int
    texts_with: list[int]


class Vocabulary(dict[str, int]):
    """A number for every word that was asked for. `texts_with` says how many texts of the set have a word."""

    def __init__(self, texts_with: Mapping[str, int]) -> None:
        super().__init__()
        self._texts_with = texts_with
        self._begin()

    def _begin(self) -> None:
        self.clear()
        # By number. Lists: texts are short, and arrays pay off from thousands of words on.
        self._lower: list[int] = []
        self._lengths: list[int] = []
        self._mixed: list[bool] = []
        self._known: list[int] = []

    def __missing__(self, word: str) -> int:
        lower = word.lower()
        of_lower = self[lower] if lower != word else len(self)
        number = len(self)
        self._lower.append(of_lower)
        self._lengths.append(len(word))
        self._mixed.append(is_mixed(word))
        self._known.append(self._texts_with.get(word, 0))
        self[word] = number
        return number

    def words(self, written: Iterable[str]) -> Words:
        """Describes the words of a text, given in order."""
        if len(self) >= _REMEMBERED:
            self._begin()
        numbers = list(map(self.__getitem__, written))
        lower = list(map(self._lower.__getitem__, numbers))
        times = Counter(lower)
        return Words(
            len(numbers),
            sum(map(self._mixed.__getitem__, numbers)),
            len(times),
            max(map(self._lengths.__getitem__, times), default=0),
            max((n for word, n in times.items() if self._lengths[word] >= _LONG), default=0),
            len(set(pairwise(lower))),
            _longest_run(lower) if any(map(eq, lower, lower[1:])) else min(1, len(lower)),
            list(map(self._known.__getitem__, numbers)),
        )


def _longest_run(values: Iterable[int]) -> int:
    return max(sum(1 for _ in run) for _, run in groupby(values))


def is_mixed(word: str) -> bool:
    """Whether a sign stands between a word's letters or digits, or a small letter before a capital one."""
    inner = word.strip(".,;:!?()[]\"'")
    if inner.isalpha() and (inner.islower() or inner.istitle()):
        return False
    inner = "".join(c for c in _JOINTS.sub("", inner) if c.isascii() or unicodedata.category(c)[0] != "M")
    return bool(inner) and (not inner.isalnum() or any(a.islower() and b.isupper() for a, b in pairwise(inner)))
