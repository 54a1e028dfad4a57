"""What the classifier sees of a record's text: numbers about it alone, and against the norm of its set."""

from __future__ import annotations

import functools
import math
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from operators.targeting.characters import Characters, characters
from operators.targeting.corruptions import Sides
from operators.targeting.grams import MAX_CHARACTERS, KnownTexts, grams
from operators.targeting.layout import layout
from operators.targeting.words import Vocabulary, Words

# A search is several times faster where one set of characters holds what every match begins with.
_MARKUP = re.compile(r"</?\w[^<>]*>|<!--|&#?\w+;|\[/?\w+\]|\{\{|\}\}|\]\(|\\\w+\{|```|\*\*|^#+ ", re.M)
_ADDRESS = re.compile(r"\w@\w|(?<!\w)@\w|\w://|www\.|\d{3}[-. ]\d{2,}|\d\.(?:\d+\.){2}\d+")
_NUMBERS = re.compile(r"\d(?:\d{2}[-. ]\d{2,}|\.(?:\d+\.){2}\d+)")
"""The addresses of a text without @, :// and www."""
_SPACING = re.compile(r"\s(?:[,.;:!?]|$|(?<= ) +)|[,;:!?](?=\w)")
"""Two blanks or more, white space before punctuation or at the end, punctuation that a word follows at once."""
_ENDINGS = ((2, ".。।።۔．"), (3, "?!？！؟"), (4, ")]}\"'”’»）」』"))
OVERLAPS = ("copy_of_earlier", "copy_of_any", "same_question")

Features = dict[str, float]


class Near(NamedTuple):
    """Places of known records like one record, of those before it in the set and of those after it."""

    earlier: Sequence[int]
    later: Sequence[int]


class SetStatistics:
    """In how many of a set's records each character, trigram and word occurs.

    `sides` maps a record's place in the set to its texts; for a large set it holds a random part of them.
    """

    def __init__(self, sides: Mapping[int, Sides]) -> None:
        self._questions = KnownTexts({i: s.question for i, s in sides.items()})
        self._answers = KnownTexts({i: s.answer for i, s in sides.items()})
        words = {i: s.answer[:MAX_CHARACTERS].split() for i, s in sides.items()}
        self._vocabulary = Vocabulary(Counter(w for found in words.values() for w in set(found)))
        self._last = Counter(found[-1] for found in words.values() if found)
        self._own_words = {i: frozenset(found) for i, found in words.items()}
        self._own_last = {i: found[-1] if found else "" for i, found in words.items()}

    def features(self, sides: Sides, near: Near) -> Features:
        """All numbers about the texts of one record or damaged copy, the last of them the `OVERLAPS` with the
        known records that lie near it.

        Its source does not count in the set's frequencies: else an original, counted among them, would be better
        known than its copy, and the classifier would learn just that."""
        question, answer = sides.question[:MAX_CHARACTERS], sides.answer[:MAX_CHARACTERS]
        asked, answered = self._questions.find(grams(question)), self._answers.find(grams(answer))
        written = answer.split()
        words = self._vocabulary.words(written)
        found = {f"question_{k}": v for k, v in _text(question, self._vocabulary.words(question.split())).items()}
        found |= {f"answer_{k}": v for k, v in _text(answer, words).items()}
        found |= {f"question_{k}": v for k, v in self._questions.rarity(asked, sides.asker).items()}
        found |= {f"answer_{k}": v for k, v in self._answers.rarity(answered, sides.answerer).items()}
        found |= self._ending(written, words.texts_with, sides.answerer)
        found["length_ratio"] = found["answer_length"] - found["question_length"]
        found["shared"] = self._questions.shared(asked, answered.grams)
        found["copy_of_earlier"] = self._answers.closest(answered, near.earlier)
        found["copy_of_any"] = self._answers.closest(answered, near.later, found["copy_of_earlier"])
        found["same_question"] = self._questions.closest(asked, near.earlier)
        return found

    def _ending(self, words: Sequence[str], known: Sequence[int], source: int) -> Features:
        """How usual the last word is as a last word, and how usual the words are in other answers; so many have
        each (`known`)."""
        if not words:
            return {"last_word_ends": math.nan, "last_word_known": math.nan, "unknown_words": math.nan}
        if source in self._own_words:
            own = self._own_words[source]
            known = [n - (w in own) for n, w in zip(known, words, strict=True)]
        ends = self._last[words[-1]] - (words[-1] == self._own_last.get(source))
        return {
            "last_word_ends": math.log((ends + 0.05) / (known[-1] + 0.1)),
            "last_word_known": math.log(known[-1] + 1),
            "unknown_words": known.count(0) / len(known),
        }


def _text(text: str, words: Words) -> Features:
    """Numbers about one side alone. Shares are of its characters."""
    size, total, pairs = max(1, len(text)), max(1, words.total), max(0, words.total - 1)
    has = characters(text)
    stripped = text.strip()
    data = text.encode("utf-8", "replace")
    return {
        "length": math.log1p(len(text)),
        "words": math.log1p(words.total),
        "word_length": len(text) / total,
        "longest_word": words.longest,
        "letters": (has.letters + has.capitals) / size,
        "capitals": has.capitals / size,
        "digits": has.digits / size,
        "punctuation": has.punctuation / size,
        "symbols": has.symbols / size,
        "controls": has.controls / size,
        "spaces": has.spaces / size,
        "spacing": len(_SPACING.findall(text)) / size,
        "scripts": _scripts(text, has),
        "mixed_words": words.mixed / total,
        "markup": len(_MARKUP.findall(text)) if has.brackets or has.emphasis else 0,
        "addresses": len((_ADDRESS if _may_have_address(text) else _NUMBERS).findall(text)),
        "distinct_words": words.distinct / total,
        "top_word": words.most_frequent,
        "repeated_pairs": (pairs - words.distinct_pairs) / max(1, pairs),
        "longest_run": words.longest_run,
        "compression": len(zlib.compress(data)) / (len(data) + 8),
        "first_capital": stripped[:1].isupper(),
        "first_letter": stripped[:1].isalnum(),
        "end": _end(stripped),
        "end_dots": stripped.endswith(("...", "…")),
        **layout(text, has),
    }


def _may_have_address(text: str) -> bool:
    return "@" in text or "://" in text or "www." in text


def _scripts(text: str, has: Characters) -> int:
    """How many scripts the letters are of."""
    if text.isascii():
        return int(has.letters + has.capitals > 0)
    return len({_script(c) for c in set(text) if c.isalpha()})


@functools.lru_cache(maxsize=1 << 14)
def _script(letter: str) -> str:
    """First word of the character's Unicode name: LATIN, CYRILLIC, CJK, ..."""
    return unicodedata.name(letter, "?").split()[0]


def _end(text: str) -> float:
    """What a text ends with: 0 nothing, 1 a letter or digit, 2 a full stop of any script, 3 a question or
    exclamation mark, 4 a closing bracket or quotation mark, 5 other punctuation, 6 anything else."""
    if not text:
        return 0
    if text[-1].isalnum():
        return 1
    for code, marks in _ENDINGS:
        if text[-1] in marks:
            return code
    return 5 if unicodedata.category(text[-1])[0] == "P" else 6
