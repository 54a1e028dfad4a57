"""Generic damage to records of any set: the positive examples the classifier learns from without labels.

Each kind works on characters, spans or parts, whatever the language, and imitates no particular source of errors.
Written apart from `operators.example.corruptions`, whose faults the classifier is measured on.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from operators.text.sentences import split_sentences

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Sides:
    """A conversation as two texts, and where they come from.

    `asker` and `answerer` are the places in the set of the records whose embeddings stand for the two texts:
    damaged copies are not embedded again, since most damage leaves what a text is about as it was.
    `copy` is true where the record is an addition to the set, so that its source counts among its neighbours.
    """

    question: str
    answer: str
    asker: int
    answerer: int
    copy: bool = False


def _with_answer(sides: Sides, answer: str) -> Sides:
    return Sides(sides.question, answer, sides.asker, sides.answerer)


def mismatched(sides: Sides, other: Sides, _rng: Rng) -> Sides:
    """Question of one record, answer of another."""
    return Sides(sides.question, other.answer, sides.asker, other.answerer)


def cropped(sides: Sides, _other: Sides, rng: Rng) -> Sides:
    """Loses a tenth to nine tenths of its characters: the end, or now and then the start."""
    text = sides.answer
    size = int(len(text) * rng.uniform(0.1, 0.9))
    return _with_answer(sides, text[-size:] if rng.random() < 0.2 else text[:size])


def condensed(sides: Sides, _other: Sides, rng: Rng) -> Sides:
    """Only the first tenth to six tenths of the answer's sentences are left, in one line."""
    sentences = split_sentences(sides.answer)
    kept = sentences[: max(1, int(len(sentences) * rng.uniform(0.1, 0.6)))]
    return _with_answer(sides, " ".join(s.strip() for s in kept))


def looped(sides: Sides, _other: Sides, rng: Rng) -> Sides:
    """A span of random length stands two to nine times instead of once."""
    text = sides.answer
    start = int(rng.integers(0, max(1, len(text))))
    span = text[start : start + int(rng.integers(4, max(5, len(text) + 1)))]
    joint = str(rng.choice(["", " ", "\n"]))
    return _with_answer(
        sides, text[:start] + joint.join([span] * int(rng.integers(2, 10))) + text[start + len(span) :]
    )


_OPENERS = ["[b]", "{{", "\\textbf{", '{"text": "', "<<", "$$", "[[", "<p:x>", "```", "<t/>", "&#x26;", "= "]
_CLOSERS = ["[/b]", "}}", "}", '"}', ">>", "$$", "]]", "</p:x>", "```", "<t/>", "&#x3e;", " ="]


def tagged(sides: Sides, _other: Sides, rng: Rng) -> Sides:
    """One to six words stand in some markup language's brackets; now and then a bare address follows."""
    words = sides.answer.split(" ")
    for _ in range(int(rng.integers(1, 7))):
        place, style = int(rng.integers(0, len(words))), int(rng.integers(0, len(_OPENERS)))
        words[place] = _OPENERS[style] + words[place] + _CLOSERS[style]
    if rng.random() < 0.3:
        scheme = str(rng.choice(["http://", "ftp://", "www."]))
        words.insert(
            int(rng.integers(0, len(words) + 1)), scheme + _letters(rng, 8) + ".invalid/" + _letters(rng, 5)
        )
    return _with_answer(sides, " ".join(words))


def noisy(sides: Sides, _other: Sides, rng: Rng) -> Sides:
    """2-15 % of the characters are lost, doubled, or joined by random symbols, in either part."""

    def spoil(text: str) -> str:
        share, symbols = rng.uniform(0.02, 0.15), rng.random() < 0.7
        out = []
        for character, fate in zip(text, rng.random(len(text)), strict=True):
            if fate >= share:
                out.append(character)
            elif symbols:
                out.append(character + _symbol(rng))
            elif rng.random() < 0.5:
                out.append(character * 2)
        return "".join(out)

    if rng.random() < 0.25:
        return Sides(spoil(sides.question), sides.answer, sides.asker, sides.answerer)
    return _with_answer(sides, spoil(sides.answer))


def blanked(sides: Sides, _other: Sides, rng: Rng) -> Sides:
    """One part is empty or a mark for "nothing"."""
    nothing = str(rng.choice(["", "", "", "-", "n/a", "None", "?", "null"]))
    if rng.random() < 0.5:
        return _with_answer(sides, nothing)
    return Sides(nothing, sides.answer, sides.asker, sides.answerer)


def intruded(sides: Sides, _other: Sides, rng: Rng) -> Sides:
    """A string of letters, digits and signs that is not language stands before, in or after the answer, as
    account names, numbers and addresses do."""
    parts = []
    for _ in range(int(rng.integers(1, 4))):
        digits = "".join(map(str, rng.integers(0, 10, int(rng.integers(5, 12)))))
        cut = int(rng.integers(2, 5))
        styles = (
            f"@{_letters(rng, 7)}",
            f"{_letters(rng, 6)}@{_letters(rng, 5)}.invalid",
            f"{digits[:cut]}-{digits[cut:]}",
            f"{digits[:cut]}.{digits[cut : cut + 2]}.{digits[cut + 2 :]}",
            f"#{digits}",
            f"{_letters(rng, 4)}_{digits[:3]}",
        )
        parts.append(styles[int(rng.integers(0, len(styles)))])
    words = sides.answer.split(" ")
    place = (0, len(words), int(rng.integers(0, len(words) + 1)))[int(rng.integers(0, 3))]
    return _with_answer(sides, " ".join([*words[:place], *parts, *words[place:]]))


def copied(sides: Sides, _other: Sides, rng: Rng) -> Sides:
    """A further record that says the same: some letters changed case, two words changed places, or nothing."""
    words = sides.answer.split(" ")
    for _ in range(int(rng.integers(0, 3))):
        if len(words) > 1:
            a, b = (int(i) for i in rng.integers(0, len(words), 2))
            words[a], words[b] = words[b], words[a]
    answer, question = " ".join(words), sides.question
    style = rng.integers(0, 4)
    if style == 0:
        answer, question = answer.swapcase(), question.swapcase()
    elif style == 1:
        answer, question = answer.casefold(), question.casefold()
    elif style == 2:
        answer = answer + " "
    return Sides(question, answer, sides.asker, sides.answerer, copy=True)


def scrambled(sides: Sides, _other: Sides, rng: Rng) -> Sides:
    """The answer's words in random order."""
    return _with_answer(sides, " ".join(rng.permutation(sides.answer.split(" ")).tolist()))


Corruption = Callable[[Sides, Sides, Rng], Sides]
CORRUPTIONS: dict[str, Corruption] = {
    f.__name__: f
    for f in (mismatched, cropped, condensed, looped, tagged, noisy, blanked, intruded, copied, scrambled)
}
"""By kind: corruption(sides, sides of another record, rng) -> damaged copy."""

_SYMBOLS = [
    chr(code) for code in range(0xA1, 0x2800) if unicodedata.category(chr(code)) in ("So", "Sk", "Sm", "Po", "Cf")
]
_ASCII_SYMBOLS = "#$%&*+/<=>@\\^_`{|}~"


def _symbol(rng: Rng) -> str:
    signs = _SYMBOLS if rng.random() < 0.5 else _ASCII_SYMBOLS
    return signs[int(rng.integers(0, len(signs)))]


def _letters(rng: Rng, n: int) -> str:
    return "".join(chr(97 + int(c)) for c in rng.integers(0, 26, n))
