"""How a text is laid out: lines, paragraphs, list items, sentences, and the marks that divide them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

from operators.text.sentences import is_list_item, split_sentences

_COMMAS = ",;،؛、，；"
_COLONS = ":：︰"
_QUOTES = "\"'“”„‘’«»「」『』"
_EMPHASIS = "*_`#"


def layout(text: str, letters: Mapping[str, int]) -> dict[str, float]:
    """Counts (as log(1 + n)) and shares of the characters; `letters` says how often the text has each one."""
    size = max(1, len(text))
    lines = text.split("\n")
    sentences = len(split_sentences(text))
    paragraphs = sum(bool(a.strip()) and not b.strip() for a, b in pairwise(lines))
    return {
        "lines": math.log1p(len(lines) - 1),
        "paragraphs": math.log1p(paragraphs),
        "list_items": math.log1p(sum(map(is_list_item, lines))),
        "sentences": math.log1p(sentences),
        "sentence_length": len(text) / max(1, sentences),
        "commas": _count(letters, _COMMAS) / size,
        "colons": _count(letters, _COLONS) / size,
        "quotes": _count(letters, _QUOTES) / size,
        "emphasis": _count(letters, _EMPHASIS) / size,
    }


def _count(letters: Mapping[str, int], marks: str) -> int:
    return sum(letters.get(mark, 0) for mark in marks)
