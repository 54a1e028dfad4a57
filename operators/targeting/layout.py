"""How a text is laid out: lines, paragraphs, list items, sentences, and the marks that divide them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from operators.targeting.characters import Characters
from operators.targeting.columns import Columns, logs
from operators.text.sentences import is_list_item, split_sentences


def layout(texts: Sequence[str], has: Characters) -> Columns:
    """Of every text counts (as log(1 + n)) and shares of its characters, of which it `has` so many."""
    lengths = np.array([len(text) for text in texts], np.int64)
    size = np.maximum(1, lengths)
    lines = [text.split("\n") for text in texts]
    sentences = np.array([len(split_sentences(text)) for text in texts], np.int64)
    return {
        "lines": logs(len(each) - 1 for each in lines),
        "paragraphs": logs(map(_paragraphs, lines)),
        "list_items": logs(sum(map(is_list_item, each)) for each in lines),
        "sentences": logs(sentences.tolist()),
        "sentence_length": lengths / np.maximum(1, sentences),
        "commas": has.commas / size,
        "colons": has.colons / size,
        "quotes": has.quotes / size,
        "emphasis": has.emphasis / size,
    }


def _paragraphs(lines: Sequence[str]) -> int:
    """That end before a blank line."""
    return sum(bool(a.strip()) and not b.strip() for a, b in pairwise(lines))
