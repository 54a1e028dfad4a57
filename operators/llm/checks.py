"""Checks on what a model wrote, before it may become training data. Script-aware, no model involved."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np

from operators.llm.prompts import has_tag
from operators.text.tokens import UInts, ngram_hashes, token_hashes

_CHATTER = re.compile(
    r"^\W*(?:here is|here's|here are|sure[,!.]|certainly|of course[,!])"
    r"|^\W*(?:as an ai\b|i'm sorry|i am sorry|i cannot|i can't)"
    r"|\b(?:rewritten|revised|improved) (?:question|answer|text|version)\b"
    r"|\bdata tags?\b"
    r"|^\s*(?:question|answer|q|a)\s*:",
    re.IGNORECASE | re.MULTILINE,
)
_NEGATION = re.compile(
    r"\b(?:no|not|never|none|neither|nor|without|cannot|\w+n['’]t)\b"
    r"|\b(?:nicht|kein\w{0,2}|nie|niemals|ohne|pas|jamais|aucune?|nunca|ningun[ao]?|ningún)\b"
    r"|不[要能可得应宜会是必]|[请切]?勿|禁止|没有?|避免|并非",
    re.IGNORECASE,
)
_TRIGRAMS_AT_LEAST = 5


def distinct_tokens(text: str) -> int:
    """Different words; characters in scripts written without spaces."""
    return len(np.unique(token_hashes([text]).hashes))


def normalized(text: str) -> str:
    """Letters and digits only, compatibility forms and case folded: equal for texts that read the same."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.findall(r"\w+", folded))


def has_residue(text: str, original: str = "") -> bool:
    """Whether `text` holds a piece of the prompt, or a chatbot's opening, that `original` does not hold."""
    if has_tag(text):
        return True
    before = {m.group().casefold().strip() for m in _CHATTER.finditer(original)}
    return any(m.group().casefold().strip() not in before for m in _CHATTER.finditer(text))


def repetitiveness(text: str) -> float:
    """Share of 3-grams of tokens that are repeats of an earlier one, in [0, 1); 0 for fewer than 5 of them."""
    grams = _trigrams(text)
    return 0.0 if len(grams) < _TRIGRAMS_AT_LEAST else 1 - len(np.unique(grams)) / len(grams)


def copies(text: str, sources: Sequence[str], share: float = 0.8) -> bool:
    """Whether `text` stands in a source as it is, or takes `share` of its 3-grams from one."""
    plain, grams = normalized(text), np.unique(_trigrams(text))
    for source in sources:
        if plain in normalized(source):
            return True
        if len(grams) >= _TRIGRAMS_AT_LEAST and np.isin(grams, _trigrams(source)).mean() >= share:
            return True
    return False


def script_overlap(a: str, b: str) -> float:
    """Overlap of two texts' shares of scripts (Latin, Cyrillic, Han, kana, ...), in [0, 1]; 1 where either has
    no letters."""
    first, second = _scripts(a), _scripts(b)
    if not first or not second:
        return 1.0
    return sum(min(p, second.get(script, 0.0)) for script, p in first.items())


def negations(text: str) -> int:
    """How many words of negation stand in the text, of English, Chinese, German, French and Spanish: "do not take"
    is not "do take", whatever else is denied."""
    return len(_NEGATION.findall(text))


def _trigrams(text: str) -> UInts:
    return ngram_hashes(token_hashes([text]), 3).hashes


def _scripts(text: str) -> dict[str, float]:
    counts = Counter(_script(c) for c in unicodedata.normalize("NFKC", text) if c.isalpha())
    total = sum(counts.values())
    return {script: n / total for script, n in counts.items()}


@functools.lru_cache(maxsize=1 << 14)
def _script(letter: str) -> str:
    """First word of the character's Unicode name: LATIN, CYRILLIC, CJK, HIRAGANA, ..."""
    return unicodedata.name(letter, "UNKNOWN").split()[0]
