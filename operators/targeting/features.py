"""What the classifier sees of a record's text: numbers about it alone, and against the norm of its set."""

from __future__ import annotations

import functools
import math
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.targeting.characters import characters
from operators.targeting.columns import Columns, logs
from operators.targeting.corruptions import Sides
from operators.targeting.grams import MAX_CHARACTERS, Found, KnownTexts, grams
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
        self._own_words = {i: self._vocabulary.number(set(found)) for i, found in words.items()}
        self._own_last = {i: found[-1] if found else "" for i, found in words.items()}
        self._marks = np.zeros(self._vocabulary.own + 1, bool)  # none is set between two calls

    def features(self, sides: Sequence[Sides], near: Sequence[Near]) -> Columns:
        """All numbers about the texts of records and damaged copies, the last of them the `OVERLAPS` with the
        known records that lie near each.

        A record's source does not count in the set's frequencies: else an original, counted among them, would be
        better known than its copy, and the classifier would learn just that."""
        questions = [each.question[:MAX_CHARACTERS] for each in sides]
        answers = [each.answer[:MAX_CHARACTERS] for each in sides]
        written = [answer.split() for answer in answers]
        words = self._vocabulary.words(written)
        asked = [self._questions.find(grams(text)) for text in questions]
        answered = [self._answers.find(grams(text)) for text in answers]
        of_questions = _texts(questions, self._vocabulary.words([question.split() for question in questions]))
        of_answers = _texts(answers, words)
        askers, answerers = [each.asker for each in sides], [each.answerer for each in sides]
        return {
            **{f"question_{k}": v for k, v in of_questions.items()},
            **{f"answer_{k}": v for k, v in of_answers.items()},
            **{f"question_{k}": v for k, v in self._questions.rarity(asked, askers).items()},
            **{f"answer_{k}": v for k, v in self._answers.rarity(answered, answerers).items()},
            **self._endings(written, words, answerers),
            "length_ratio": of_answers["length"] - of_questions["length"],
            "shared": np.array([self._questions.shared(q, a.grams) for q, a in zip(asked, answered, strict=True)]),
            **self._overlaps(asked, answered, near),
        }

    def _endings(self, written: Sequence[Sequence[str]], words: Words, sources: Sequence[int]) -> Columns:
        """How usual the last word is as a last word, and how usual the words are in other answers."""
        known, ends = words.texts_with, np.cumsum(words.total)
        for end, total, source in zip(ends.tolist(), words.total.tolist(), sources, strict=True):
            if source in self._own_words:
                part = slice(end - total, end)
                own = self._own_words[source]
                self._marks[own] = True
                known[part] -= self._marks[np.minimum(words.numbers[part], self._vocabulary.own)]
                self._marks[own] = False
        found = np.full((3, len(written)), math.nan)
        for i, (text, source) in enumerate(zip(written, sources, strict=True)):
            if text:
                as_last = self._last[text[-1]] - (text[-1] == self._own_last.get(source))
                times = int(known[ends[i] - 1])
                found[:2, i] = math.log((as_last + 0.05) / (times + 0.1)), math.log(times + 1)
        some = words.total > 0
        unknown = np.bincount(words.of, known == 0, len(written))
        found[2, some] = unknown[some] / words.total[some]
        return dict(zip(("last_word_ends", "last_word_known", "unknown_words"), found, strict=True))

    def _overlaps(self, asked: Sequence[Found], answered: Sequence[Found], near: Sequence[Near]) -> Columns:
        found = np.empty((len(near), len(OVERLAPS)))
        for row, question, answer, (earlier, later) in zip(found, asked, answered, near, strict=True):
            row[0] = self._answers.closest(answer, earlier)
            row[1] = self._answers.closest(answer, later, row[0])
            row[2] = self._questions.closest(question, earlier)
        return dict(zip(OVERLAPS, found.T, strict=True))


def _texts(texts: Sequence[str], words: Words) -> Columns:
    """Numbers about one side alone. Shares are of its characters."""
    lengths = np.array([len(text) for text in texts], np.int64)
    size, total, pairs = np.maximum(1, lengths), np.maximum(1, words.total), np.maximum(0, words.total - 1)
    has = characters(texts)
    stripped = [text.strip() for text in texts]
    letters = has.letters + has.capitals
    return {
        "length": logs(lengths.tolist()),
        "words": logs(words.total.tolist()),
        "word_length": lengths / total,
        "longest_word": words.longest.astype(np.float64),
        "letters": letters / size,
        "capitals": has.capitals / size,
        "digits": has.digits / size,
        "punctuation": has.punctuation / size,
        "symbols": has.symbols / size,
        "controls": has.controls / size,
        "spaces": has.spaces / size,
        "spacing": _counts(len(_SPACING.findall(text)) for text in texts) / size,
        "scripts": _counts(map(_scripts, texts, letters > 0)),
        "mixed_words": words.mixed / total,
        "markup": _counts(map(_markup, texts, has.brackets + has.emphasis > 0)),
        "addresses": _counts(map(_addresses, texts)),
        "distinct_words": words.distinct / total,
        "top_word": words.most_frequent.astype(np.float64),
        "repeated_pairs": (pairs - words.distinct_pairs) / np.maximum(1, pairs),
        "longest_run": words.longest_run.astype(np.float64),
        "compression": np.array([_compression(text) for text in texts]),
        "first_capital": _counts(text[:1].isupper() for text in stripped),
        "first_letter": _counts(text[:1].isalnum() for text in stripped),
        "end": _counts(map(_end, stripped)),
        "end_dots": _counts(text.endswith(("...", "…")) for text in stripped),
        **layout(texts, has),
    }


def _counts(values: Iterable[int]) -> NDArray[np.float64]:
    return np.fromiter(values, np.float64)


def _compression(text: str) -> float:
    data = text.encode("utf-8", "replace")
    return len(zlib.compress(data)) / (len(data) + 8)


def _markup(text: str, may_have_some: bool) -> int:
    return len(_MARKUP.findall(text)) if may_have_some else 0


def _addresses(text: str) -> int:
    return len((_ADDRESS if _may_have_address(text) else _NUMBERS).findall(text))


def _may_have_address(text: str) -> bool:
    return "@" in text or "://" in text or "www." in text


def _scripts(text: str, has_letters: bool) -> int:
    """How many scripts the letters are of."""
    if text.isascii():
        return int(has_letters)
    return len({_script(c) for c in set(text) if c.isalpha()})


@functools.lru_cache(maxsize=1 << 14)
def _script(letter: str) -> str:
    """First word of the character's Unicode name: LATIN, CYRILLIC, CJK, ..."""
    return unicodedata.name(letter, "?").split()[0]


def _end(text: str) -> int:
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
