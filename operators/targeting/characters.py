"""How many characters of each kind a text has, counted in one pass."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from operators.targeting.columns import Counts

_KINDS = ("letters", "capitals", "digits", "punctuation", "symbols", "controls", "spaces", "others")
_KIND = {
    "Lu": "capitals",
    "L": "letters",
    "M": "letters",
    "Nd": "digits",
    "P": "punctuation",
    "S": "symbols",
    "C": "controls",
    "Zl": "controls",
    "Zp": "controls",
    "Zs": "spaces",
}
"""By general category of Unicode, or its first letter."""
_MARKS = {
    "commas": ",;،؛、，；",
    "colons": ":：︰",
    "quotes": "\"'“”„‘’«»「」『』",
    "emphasis": "*_`#",
    "brackets": "<&[{}]\\",
}
"""Signs that are counted by themselves too; each belongs to one group."""
_GROUP = {mark: number for number, marks in enumerate(_MARKS.values(), 1) for mark in marks}
_GROUPS = 1 + len(_MARKS)
_CLASSES = len(_KINDS) * _GROUPS
_UNKNOWN = 255
_class_of = np.full(sys.maxunicode + 1, _UNKNOWN, np.uint8)
"""Of every code point the number of its kind and group, once a text had it."""


class Characters(NamedTuple):
    """Numbers of n texts' characters, arrays of shape (n,): of each kind, and of the marks of each group.

    `letters` are those that are no capitals, and the signs that combine with them; `controls` include what has
    no meaning and the separators of lines; `brackets` are the signs that open and close markup.
    """

    letters: Counts
    capitals: Counts
    digits: Counts
    punctuation: Counts
    symbols: Counts
    controls: Counts
    spaces: Counts
    others: Counts
    commas: Counts
    colons: Counts
    quotes: Counts
    emphasis: Counts
    brackets: Counts


def characters(texts: Sequence[str]) -> Characters:
    """Counts the characters of texts, surrogates among them."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), "<u4")
    classes = _class_of[codes]
    if classes.max(initial=0) == _UNKNOWN:
        for code in np.unique(codes[classes == _UNKNOWN]).tolist():
            _class_of[code] = _number(chr(code))
        classes = _class_of[codes]
    ends = list(accumulate(map(len, texts), initial=0))
    parts = [np.bincount(classes[start:end], minlength=_CLASSES) for start, end in pairwise(ends)]
    counts = np.array(parts, np.int64).reshape(len(texts), len(_KINDS), _GROUPS)
    return Characters(*counts.sum(2).T, *counts.sum(1)[:, 1:].T)


def _number(character: str) -> int:
    category = unicodedata.category(character)
    kind = _KIND.get(category) or _KIND.get(category[0], "others")
    return _KINDS.index(kind) * _GROUPS + _GROUP.get(character, 0)
