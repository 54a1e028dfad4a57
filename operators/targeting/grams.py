"""Characters and character trigrams of texts, units of every language and script: how rare they are in a set, and
how alike two texts are in them."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

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
    return found[np.diff(found, prepend=_NONE) != 0]


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

    def rarity(self, text: Grams, source: int) -> dict[str, float]:
        """Rarity of the trigrams (mean and top decile) and of the rarest character, and how many characters few
        texts have. The text of the `source`'s place does not count."""
        values = self._rarities(text, source)
        characters = int(np.searchsorted(text, _TRIGRAM))
        one, three = values[:characters], np.sort(values[characters:])
        return {
            "rarity": float(three.mean()) if len(three) else math.nan,
            "rarity_high": float(three[int(0.9 * len(three))]) if len(three) else math.nan,
            "rarest_character": float(one.max()) if len(one) else math.nan,
            "rare_characters": int(np.count_nonzero(one > 3)),
        }

    def shared(self, asked: Grams, answered: Grams) -> float:
        """Share of one text's trigrams that another has, weighted by their rarity here. Trigrams that begin or end
        in white space do not count."""
        trigrams = asked[np.searchsorted(asked, _TRIGRAM) :]
        last, first = (trigrams >> shift & _CODE for shift in (np.uint64(0), 2 * _BITS))
        inside = trigrams[~(_SPACES[first] | _SPACES[last])]
        weights = self._rarities(inside)
        total = weights.sum()
        if total <= 0:
            return math.nan
        return float(weights[np.isin(inside, answered, assume_unique=True)].sum() / total)

    def closest(self, text: Grams, places: Iterable[int], at_least: float = 0.0) -> float:
        """The highest Jaccard similarity of a text's grams with those of the known texts at `places`; `at_least`
        where none is higher."""
        numbers, seen = self._find(text)
        own = numbers[seen]
        self._marks[own] = True
        best = at_least
        for place in places:
            theirs = self._numbers[place]
            common = int(np.count_nonzero(self._marks[theirs]))
            best = max(best, common / max(1, len(text) + len(theirs) - common))
        self._marks[own] = False
        return best

    def _rarities(self, text: Grams, source: int | None = None) -> NDArray[np.float64]:
        """Log of one over the share of texts that have a gram, for each."""
        numbers, seen = self._find(text)
        counts = np.where(seen, self._counts[numbers], 0)
        if source in self._numbers:
            own = self._numbers[source]
            self._marks[own] = True
            counts -= self._marks[numbers] & seen
            self._marks[own] = False
        return np.asarray(self._logs[counts])

    def _find(self, text: Grams) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Places in `_all`, and whether they are the grams' own."""
        numbers = np.minimum(np.searchsorted(self._all, text), len(self._all) - 1)
        return numbers, self._all[numbers] == text
