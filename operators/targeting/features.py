"""What the classifier sees of a record's text: numbers about it alone, and against the norm of its set."""

from __future__ import annotations

import functools
import math
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from operators.targeting.corruptions import Sides
from operators.targeting.layout import layout

_MARKUP = re.compile(r"</?\w[^<>]*>|<!--|&#?\w+;|\[/?\w+\]|\{\{|\}\}|\]\(|\\\w+\{|```|\*\*|^#+ ", re.M)
_ADDRESS = re.compile(r"\w@\w|(?<!\w)@\w|\w://|www\.|\d{3}[-. ]\d{2,}|\d\.(?:\d+\.){2}\d+")
_SPACING = re.compile(r" {2,}|\s[,.;:!?]|[,;:!?](?=\w)|\s$")
_JOINTS = re.compile(r"[-'’/,，、。．；：！？（）《》「」『』“”·]")
"""Signs that may stand inside what white space divides: scripts that write none have them between words."""
_ENDINGS = ((2, ".。।።۔．"), (3, "?!？！؟"), (4, ")]}\"'”’»）」』"))
MAX_CHARACTERS = 20_000
"""Of one side: what follows says little new, and one giant record must not take minutes."""

Features = dict[str, float]


class Grams(NamedTuple):
    """The distinct characters and character trigrams of a text in lower case: units of every language and
    script."""

    characters: frozenset[str]
    trigrams: frozenset[str]


NO_GRAMS = Grams(frozenset(), frozenset())


def grams(text: str) -> Grams:
    """The grams of a text, of its first MAX_CHARACTERS characters."""
    text = text[:MAX_CHARACTERS].lower()
    return Grams(frozenset(text), frozenset(map("".join, zip(text, text[1:], text[2:], strict=False))))


class SetStatistics:
    """In how many of a set's records each character, trigram and word occurs.

    `sides` maps a record's place in the set to its texts; for a large set it holds a random part of them.
    """

    def __init__(self, sides: Mapping[int, Sides]) -> None:
        self.rows = len(sides)
        self.questions = {i: grams(s.question) for i, s in sides.items()}
        self.answers = {i: grams(s.answer) for i, s in sides.items()}
        self._in_questions = _Rarity(self.questions.values(), self.rows)
        self._in_answers = _Rarity(self.answers.values(), self.rows)
        words = {i: s.answer[:MAX_CHARACTERS].split() for i, s in sides.items()}
        self._words = Counter(w for found in words.values() for w in set(found))
        self._last = Counter(found[-1] for found in words.values() if found)
        self._own_words = {i: frozenset(found) for i, found in words.items()}
        self._own_last = {i: found[-1] if found else "" for i, found in words.items()}

    def features(self, sides: Sides, asked: Grams, answered: Grams) -> Features:
        """All text features of one record or damaged copy, `asked` and `answered` being the grams of its two
        sides. Its source does not count in the set's frequencies: else an original, counted among them, would
        be better known than its copy, and the classifier would learn just that."""
        question, answer = sides.question[:MAX_CHARACTERS], sides.answer[:MAX_CHARACTERS]
        own_question = self.questions.get(sides.asker, NO_GRAMS)
        own_answer = self.answers.get(sides.answerer, NO_GRAMS)
        found = {f"question_{k}": v for k, v in _text(question).items()}
        found |= {f"answer_{k}": v for k, v in _text(answer).items()}
        found |= {f"question_{k}": v for k, v in self._in_questions.features(asked, own_question).items()}
        found |= {f"answer_{k}": v for k, v in self._in_answers.features(answered, own_answer).items()}
        found |= self._ending(answer, sides.answerer)
        found["length_ratio"] = found["answer_length"] - found["question_length"]
        found["shared"] = self._in_questions.shared(asked, answered)
        return found

    def _ending(self, answer: str, source: int) -> Features:
        """How usual the last word is as a last word, and how usual the words are in other answers."""
        words = answer.split()
        if not words:
            return {"last_word_ends": math.nan, "last_word_known": math.nan, "unknown_words": math.nan}
        own = self._own_words.get(source, frozenset())
        known = [self._words[w] - (w in own) for w in words]
        ends = self._last[words[-1]] - (words[-1] == self._own_last.get(source))
        return {
            "last_word_ends": math.log((ends + 0.05) / (known[-1] + 0.1)),
            "last_word_known": math.log(known[-1] + 1),
            "unknown_words": sum(k == 0 for k in known) / len(known),
        }


class _Rarity:
    """Log of one over the share of a set's texts that have a gram, looked up."""

    def __init__(self, texts: Iterable[Grams], rows: int) -> None:
        counts = Counter(g for found in texts for part in found for g in part)
        logs = [math.log((rows + 1) / (k + 1)) for k in range(rows + 1)]
        self._unseen = logs[0]
        self._all = {g: logs[k] for g, k in counts.items()}
        self._but_one = {g: logs[k - 1] for g, k in counts.items()}
        """Where one of the texts that have the gram does not count."""

    def features(self, found: Grams, own: Grams) -> Features:
        """Rarity of the trigrams (mean and top decile) and of the rarest character, and how many characters few
        texts have. A text whose grams are `own` does not count."""
        three = sorted(self._of(found.trigrams, own.trigrams))
        one = self._of(found.characters, own.characters)
        return {
            "rarity": sum(three) / len(three) if three else math.nan,
            "rarity_high": three[int(0.9 * len(three))] if three else math.nan,
            "rarest_character": max(one, default=math.nan),
            "rare_characters": sum(v > 3 for v in one),
        }

    def shared(self, asked: Grams, answered: Grams) -> float:
        """Share of the question's trigrams that the answer has, weighted by their rarity among questions."""
        inside = [g for g in asked.trigrams if not (g[0].isspace() or g[-1].isspace())]
        total = math.fsum(self._all.get(g, self._unseen) for g in inside)
        if total <= 0:
            return math.nan
        return math.fsum(self._all.get(g, self._unseen) for g in inside if g in answered.trigrams) / total

    def _of(self, found: frozenset[str], own: frozenset[str]) -> list[float]:
        both = found & own
        rarity = list(map(self._but_one.__getitem__, both))
        if len(both) < len(found):
            rarity += [self._all.get(g, self._unseen) for g in found - own]
        return rarity


def _text(text: str) -> Features:
    """Numbers about one side alone. Shares are of its characters."""
    size = max(1, len(text))
    letters = Counter(text)
    kinds: Counter[str] = Counter()
    for character, n in letters.items():
        kinds[unicodedata.category(character)] += n
    words = text.lower().split()
    counts = Counter(words)
    pairs = Counter(pairwise(words))
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
        "markup": len(_MARKUP.findall(text)),
        "addresses": len(_ADDRESS.findall(text)),
        "distinct_words": len(counts) / max(1, len(words)),
        "top_word": max((n for w, n in counts.items() if len(w) > 3), default=0),
        "repeated_pairs": sum(n - 1 for n in pairs.values()) / max(1, len(words) - 1),
        "longest_run": _longest_run(words) if any(a == b for a, b in pairs) else min(1, len(words)),
        "compression": len(zlib.compress(data)) / (len(data) + 8),
        "first_capital": stripped[:1].isupper(),
        "first_letter": stripped[:1].isalnum(),
        "end": _end(stripped),
        "end_dots": stripped.endswith(("...", "…")),
        **layout(text, letters),
    }


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


def _is_mixed(word: str) -> bool:
    """Whether a sign stands between letters or digits, or a small letter before a capital one."""
    inner = word.strip(".,;:!?()[]\"'")
    if inner.isalpha() and (inner.islower() or inner.istitle()):
        return False
    inner = "".join(c for c in _JOINTS.sub("", inner) if c.isascii() or unicodedata.category(c)[0] != "M")
    return bool(inner) and (not inner.isalnum() or any(a.islower() and b.isupper() for a, b in pairwise(inner)))
