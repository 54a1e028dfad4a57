"""How a text is laid out: lines, paragraphs, list items, sentences, and the marks that divide them."""

from __future__ import annotations

import math
from itertools import pairwise

from operators.targeting.characters import Characters
from operators.text.sentences import is_list_item, split_sentences


def layout(text: str, has: Characters) -> dict[str, float]:
    """Counts (as log(1 + n)) and shares of the characters, of which the text `has` so many."""
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
        "commas": has.commas / size,
        "colons": has.colons / size,
        "quotes": has.quotes / size,
        "emphasis": has.emphasis / size,
    }
