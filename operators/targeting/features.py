"""What the classifier sees of a record's text: numbers about it alone, and against the norm of its set."""

from __future__ import annotations

import functools
import math
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise, starmap
from operator import eq
from typing import NamedTuple

from operators.targeting.corruptions import Sides
from operators.targeting.grams import MAX_CHARACTERS, KnownTexts, grams
from operators.targeting.layout import layout

# A search is several times faster where one set of characters holds what every match begins with.
_MARKUP = re.compile(r"</?\w[^<>]*>|<!--|&#?\w+;|\[/?\w+\]|\{\{|\}\}|\]\(|\\\w+\{|```|\*\*|^#+ ", re.M)
_IN_MARKUP = frozenset("<&[{}]\\`*#")
"""One of them is in all markup."""
_ADDRESS = re.compile(r"\w@\w|(?<!\w)@\w|\w://|www\.|\d{3}[-. ]\d{2,}|\d\.(?:\d+\.){2}\d+")
_NUMBERS = re.compile(r"\d(?:\d{2}[-. ]\d{2,}|\.(?:\d+\.){2}\d+)")
"""The addresses of a text without @, :// and www."""
_SPACING = re.compile(r"[\s,;:!?](?:(?<= ) +|(?<=\s)[,.;:!?]|(?<=\s)$|(?<=[,;:!?])(?=\w))")
"""Two blanks or more, white space before punctuation or at the end, punctuation that a word follows at once."""
_JOINTS = re.compile(r"[-'’/,，、。．；：！？（）《》「」『』“”·]")
"""Signs that may stand inside what white space divides: scripts that write none have them between words."""
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
        self._words = Counter(w for found in words.values() for w in set(found))
        self._last = Counter(found[-1] for found in words.values() if found)
        self._own_words = {i: frozenset(found) for i, found in words.items()}
        self._own_last = {i: found[-1] if found else "" for i, found in words.items()}

    def features(self, sides: Sides, near: Near) -> Features:
        """All numbers about the texts of one record or damaged copy, the last of them the `OVERLAPS` with the
        known records that lie near it.

        Its source does not count in the set's frequencies: else an original, counted among them, would be better
        known than its copy, and the classifier would learn just that."""
        question, answer = sides.question[:MAX_CHARACTERS], sides.answer[:MAX_CHARACTERS]
        asked, answered = grams(question), grams(answer)
        found = {f"question_{k}": v for k, v in _text(question).items()}
        found |= {f"answer_{k}": v for k, v in _text(answer).items()}
        found |= {f"question_{k}": v for k, v in self._questions.rarity(asked, sides.asker).items()}
        found |= {f"answer_{k}": v for k, v in self._answers.rarity(answered, sides.answerer).items()}
        found |= self._ending(answer, sides.answerer)
        found["length_ratio"] = found["answer_length"] - found["question_length"]
        found["shared"] = self._questions.shared(asked, answered)
        found["copy_of_earlier"] = self._answers.closest(answered, near.earlier)
        found["copy_of_any"] = self._answers.closest(answered, near.later, found["copy_of_earlier"])
        found["same_question"] = self._questions.closest(asked, near.earlier)
        return found

    def _ending(self, answer: str, source: int) -> Features:
        """How usual the last word is as a last word, and how usual the words are in other answers."""
        words = answer.split()
        if not words:
            return {"last_word_ends": math.nan, "last_word_known": math.nan, "unknown_words": math.nan}
        own = self._own_words.get(source, frozenset())
        known = [self._words.get(w, 0) - (w in own) for w in words]
        ends = self._last[words[-1]] - (words[-1] == self._own_last.get(source))
        return {
            "last_word_ends": math.log((ends + 0.05) / (known[-1] + 0.1)),
            "last_word_known": math.log(known[-1] + 1),
            "unknown_words": known.count(0) / len(known),
        }


def _text(text: str) -> Features:
    """Numbers about one side alone. Shares are of its characters."""
    size = max(1, len(text))
    letters = Counter(text)
    kinds: Counter[str] = Counter()
    for character, n in letters.items():
        kinds[unicodedata.category(character)] += n
    words = text.lower().split()
    counts = Counter(words)
    pairs = set(pairwise(words))
    stripped = text.strip()
    data = text.encode("utf-8", "replace")
    return {
        "length": math.log1p(len(text)),
        "words": math.log1p(len(words)),
        "word_length": len(text) / max(1, len(words)),
        "longest_word": max(map(len, words), default=0),
        "letters": sum(v for k, v in kinds.items() if k[0] in "LM") / size,
        "capitals": kinds["Lu"] / size,
        "digits": kinds["Nd"] / size,
        "punctuation": sum(v for k, v in kinds.items() if k[0] == "P") / size,
        "symbols": sum(v for k, v in kinds.items() if k[0] == "S") / size,
        "controls": sum(v for k, v in kinds.items() if k[0] == "C" or k in ("Zl", "Zp")) / size,
        "spaces": kinds["Zs"] / size,
        "spacing": len(_SPACING.findall(text)) / size,
        "scripts": len({_script(c) for c in letters if c.isalpha()}),
        "mixed_words": sum(map(_is_mixed, text.split())) / max(1, len(words)),
        "markup": 0 if _IN_MARKUP.isdisjoint(letters) else len(_MARKUP.findall(text)),
        "addresses": len(
            (_ADDRESS if "@" in letters or "://" in text or "www." in text else _NUMBERS).findall(text)
        ),
        "distinct_words": len(counts) / max(1, len(words)),
        "top_word": max((n for w, n in counts.items() if len(w) > 3), default=0),
        "repeated_pairs": (max(0, len(words) - 1) - len(pairs)) / max(1, len(words) - 1),
        "longest_run": _longest_run(words) if any(starmap(eq, pairs)) else min(1, len(words)),
        "compression": len(zlib.compress(data)) / (len(data) + 8),
        "first_capital": stripped[:1].isupper(),
        "first_letter": stripped[:1].isalnum(),
        "end": _end(stripped),
        "end_dots": stripped.endswith(("...", "…")),
        **layout(text, letters),
    }


def _may_have_address(text: str) -> bool:
    return "@" in text or "://" in text or "www." in text


def _longest_run(words: Sequence[str]) -> int:
    return max(sum(1 for _ in run) for _, run in groupby(words))


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


@functools.lru_cache(maxsize=1 << 16)
def _is_mixed(word: str) -> bool:
    """Whether a sign stands between letters or digits, or a small letter before a capital one."""
    inner = word.strip(".,;:!?()[]\"'")
    if inner.isalpha() and (inner.islower() or inner.istitle()):
        return False
    inner = "".join(c for c in _JOINTS.sub("", inner) if c.isascii() or unicodedata.category(c)[0] != "M")
    return bool(inner) and (not inner.isalnum() or any(a.islower() and b.isupper() for a, b in pairwise(inner)))
