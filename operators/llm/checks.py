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
    r"^\W*(?:here is|here's|here are|sure[,!.]|certainly|of course[,!]|好的[，,！!])"
    r"|^\W*(?:as an ai\b|als ki\b|en tant qu'ia\b|como ia\b|作为(?:一个|一名)?(?:人工智能|AI|语言模型))"
    r"|^\W*(?:sorry\b|i apologi[sz]e|(?:but |unfortunately,? )?(?:i'm|i am) (?:sorry|unable|not able)\b"
    r"|(?:unfortunately,? )?i (?:cannot|can't)|抱歉|对不起|很遗憾|es tut mir leid|leider kann ich|désolée?\b"
    r"|je suis désolée?|lo siento)"
    r"|\b(?:rewritten|revised|improved) (?:question|answer|text|version)\b"
    r"|\b(?:überarbeitete|verbesserte)[rsn]? (?:frage|antwort|fassung|version)\b"
    r"|(?:改写|改进|修改|润色|优化)后的"
    r"|\bdata tags?\b"
    r"|^\s*(?:question|answer|q|a|frage|antwort|réponse|pregunta|respuesta|问题?|回答|答案?)\s*[:：]",
    re.IGNORECASE | re.MULTILINE,
)
_NEGATION = re.compile(
    r"\b(?:no|not|nothing|nobody|never|none|neither|nor|without|cannot|avoid(?:s|ed|ing)?|\w+n['’]t)\b"
    r"|\b(?:nichts?|niemand\w{0,2}|weder|kein\w{0,2}|nie|niemals|ohne|pas|rien|sans|jamais|aucune?|ni)\b"
    r"|\b(?:sin|nada|nadie|tampoco|nunca|ningun[ao]?|ningún)\b"
    # Not as a part of words that deny nothing: different, only, constantly, but, long, regardless, many, adverse.
    r"|不(?![同仅但只断过久管论少良])|未(?!来)|无(?!论)|(?<!除)非(?![常洲])|勿|禁止|没有?|避免",
    re.IGNORECASE,
)
_TRIGRAMS_AT_LEAST = 5


def distinct_tokens(text: str) -> int:
    """Different words; characters in scripts written without spaces."""
    return len(np.unique(token_hashes([text]).hashes))


class _Read(dict[int, str]):
    """Characters as they count for what a text reads as: a space for what is no letter, sign of one, or digit."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        # Vowel signs are letters of Indic scripts; the points of Arabic and Hebrew are mostly left out.
        pointed = category == "Mn" and unicodedata.name(character, "").startswith(("ARABIC", "HEBREW"))
        self[code] = "" if pointed else character if category[0] in "LMN" or character == "_" else " "
        return self[code]


_READ = _Read()


def normalized(text: str) -> str:
    """Letters and digits only, compatibility forms and case folded: equal for texts that read the same."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.translate(_READ).split())


def has_residue(text: str, original: str = "") -> bool:
    """Whether `text` holds a piece of the prompt, or a chatbot's opening, that `original` does not hold."""
    if has_tag(text):
        return True
    text, original = text.replace("’", "'"), original.replace("’", "'")
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
