"""Characters and character trigrams of texts, units of every language and script: how rare they are in a set, and
how alike two texts are in them."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.targeting.columns import Columns

Grams = NDArray[np.uint64]
"""The distinct characters, then the distinct trigrams of a text in lower case, as rising numbers."""
MAX_CHARACTERS = 20_000
"""Of one text: what follows says little new, and one giant record must not take minutes."""
_BITS = np.uint64(21)
"""Of one character's code."""
_TRIGRAM = np.uint64(1 << 63)
_CODE = np.uint64((1 << 21) - 1)
_NONE = np.array([np.iinfo(np.uint64).max], np.uint64)
"""No gram: with it, no set is without any."""
_SPACES = np.zeros(sys.maxunicode + 1, bool)
_SPACES[[code for code in range(0x3001) if chr(code).isspace()]] = True  # U+3000 is the last


def grams(text: str) -> Grams:
    """The grams of a text, of its first MAX_CHARACTERS characters."""
    encoded = text[:MAX_CHARACTERS].lower().encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(encoded, "<u4").astype(np.uint64)
    trigrams = ((codes[:-2] << _BITS | codes[1:-1]) << _BITS | codes[2:]) | _TRIGRAM
    found = np.sort(np.concatenate([codes, trigrams]))
    first = np.ones(len(found), bool)
    np.not_equal(found[1:], found[:-1], out=first[1:])
    return found[first]


class Found(NamedTuple):
    """A text's `grams`, the first of them `characters` in number; their places among those of the known texts
    (`numbers`), whether they are there at all (`known`), and in how many of the texts (`counts`)."""

    grams: Grams
    characters: int
    numbers: NDArray[np.intp]
    known: NDArray[np.bool_]
    counts: NDArray[np.intp]


class KnownTexts:
    """Texts of a set, by their records' places in it (of a large set, a random part), and in how many of them each
    gram occurs."""

    def __init__(self, texts: Mapping[int, str]) -> None:
        found = [grams(text) for text in texts.values()]
        self._all, self._counts = np.unique(np.concatenate([*found, _NONE]), return_counts=True)
        self._numbers = {i: np.searchsorted(self._all, each) for i, each in zip(texts, found, strict=True)}
        """Of every text its grams, as places in `_all`."""
        rows = len(texts)
        self._logs = np.array([math.log((rows + 1) / (k + 1)) for k in range(rows + 1)])
        self._marks = np.zeros(len(self._all), bool)  # none is set between two calls

    def find(self, text: Grams) -> Found:
        """Looks a text's grams up among those of all known texts."""
        numbers = np.minimum(self._all.searchsorted(text), len(self._all) - 1)
        known = self._all[numbers] == text
        counts = np.where(known, self._counts[numbers], 0)
        return Found(text, int(text.searchsorted(_TRIGRAM)), numbers, known, counts)

    def rarity(self, texts: Sequence[Found], sources: Sequence[int]) -> Columns:
        """Of every text the rarity of its trigrams (mean and top decile) and of its rarest character, and how many
        of its characters few texts have. The text at its source's place does not count."""
        found = np.full((len(texts), 4), math.nan)
        for row, text, source in zip(found, texts, sources, strict=True):
            counts = text.counts
            if source in self._numbers:
                own = self._numbers[source]
                self._marks[own] = True
                counts = counts - (self._marks[text.numbers] & text.known)
                self._marks[own] = False
            values = self._logs[counts]
            one, three = values[: text.characters], np.sort(values[text.characters :])
            if len(three):
                row[:2] = three.mean(), three[int(0.9 * len(three))]
            if len(one):
                row[2] = one.max()
            row[3] = np.count_nonzero(one > 3)
        return dict(zip(("rarity", "rarity_high", "rarest_character", "rare_characters"), found.T, strict=True))

    def shared(self, asked: Found, answered: Grams) -> float:
        """Share of one text's trigrams that another has, weighted by their rarity here. Trigrams that begin or end
        in white space do not count."""
        trigrams = asked.grams[asked.characters :]
        last, first = (trigrams >> shift & _CODE for shift in (np.uint64(0), 2 * _BITS))
        inside = ~(_SPACES[first] | _SPACES[last])
        weights = self._logs[asked.counts[asked.characters :][inside]]
        total = weights.sum()
        if total <= 0:
            return math.nan
        sought = trigrams[inside]
        places = np.minimum(answered.searchsorted(sought), len(answered) - 1)
        return float(weights[answered[places] == sought].sum() / total) if len(answered) else 0.0

    def closest(self, text: Found, places: Iterable[int], at_least: float = 0.0) -> float:
        """The highest Jaccard similarity of a text's grams with those of the known texts at `places`; `at_least`
        where none is higher."""
        own = text.numbers[text.known]
        self._marks[own] = True
        best = at_least
        for place in places:
            theirs = self._numbers[place]
            fewer, more = sorted((len(text.grams), len(theirs)))
            if fewer <= best * more:  # even all in common would make no difference
                continue
            common = int(np.count_nonzero(self._marks[theirs]))
            best = max(best, common / max(1, len(text.grams) + len(theirs) - common))
        self._marks[own] = False
        return best
