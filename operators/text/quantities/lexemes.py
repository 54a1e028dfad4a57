"""A text as numbers, words and symbols, of which quantities are read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from operators.text.forms import compatible
from operators.text.quantities import words


def _longest_first(these: Iterable[str]) -> str:
    """Alternatives of a regular expression: 毫克 before 克."""
    return "|".join(sorted(these, key=len, reverse=True))


_SPELLED = str.maketrans("≦⩽≧⩾–‐‑−’⁄", "≤≤≥≥----'/")
_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*(?:\s[^<>]*)?/?>")
_ARROW = re.compile(r"(?<![-=])[-=]+>")
_NUMERAL = f"[{''.join(words.HAN_DIGITS)}{''.join(words.HAN_TENS)}]"
_HAN_NUMBER = re.compile(f"(?<!{_NUMERAL})({_NUMERAL}{{1,16}}?)({_longest_first(words.HAN_UNITS)})")
_HAN_PERCENT = re.compile(rf"百分之({_NUMERAL}{{1,16}}|\d+(?:\.\d+)?)")
_ARTICLE_LIKE = {"day", "week", "year", "time", "unit", "dose"}
"""Of these 一 is "a" as often as it is "one"."""
_HAN = "\u3400-\u9fff"
_HAN_WORDS = _longest_first(words.HAN_UNITS | words.HAN_BEFORE.keys() | words.HAN_AFTER.keys())
_LEXEME = re.compile(
    r"(?P<number>(?:(?<![\w.])\.)?\d+(?:[.,:/]\d+)*(?:\^[-+]?\d+)?)"
    rf"|(?P<word>{_HAN_WORDS}|[{_HAN}]|[^\W\d_{_HAN}]+(?:'[^\W\d_{_HAN}]+)*)|(?P<symbol>\n|[^\w\s])"
)


class Lexeme(NamedTuple):
    """A number, a word or a symbol, and where it stands in the text that was read."""

    kind: str
    text: str
    start: int
    end: int


_NOTHING = Lexeme("", "", -1, -1)


def split(text: str) -> list[Lexeme]:
    """The numbers, words and symbols of a text in one spelling: small letters, ASCII digits, and Han numerals in
    digits where a unit follows."""
    plain = compatible(text)
    if not plain.isascii():
        plain = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in plain).translate(_SPELLED)
        plain = _HAN_PERCENT.sub(lambda m: f"{_han_value(m[1]) or m[1]}%", plain)
        plain = _HAN_NUMBER.sub(_in_digits, plain)
    plain = _TAG.sub(" ", plain)
    plain = plain.replace("<=", "≤").replace(">=", "≥").replace("+/-", "±")
    plain = _ARROW.sub("→", plain)
    return [Lexeme(str(m.lastgroup), m.group(), *m.span()) for m in _LEXEME.finditer(plain.casefold())]


def _in_digits(found: re.Match[str]) -> str:
    value = _han_value(found[1])
    if value is None or (found[1] == "一" and words.UNIT[found[2]] in _ARTICLE_LIKE):
        return found[0]
    return f"{value}{found[2]}"


def _han_value(numeral: str) -> int | None:
    """十五 is 15, and 二〇二四 is 2024; None for what is in digits already."""
    if numeral[0].isascii():
        return None
    if all(c in words.HAN_DIGITS for c in numeral):
        return int("".join(str(words.HAN_DIGITS[c]) for c in numeral))
    total = section = digit = 0
    for c in numeral:
        if c in words.HAN_DIGITS:
            digit = words.HAN_DIGITS[c]
        elif words.HAN_TENS[c] < 10_000:
            section += (digit or 1) * words.HAN_TENS[c]
            digit = 0
        else:
            total += ((section + digit) or 1) * words.HAN_TENS[c]
            section = digit = 0
    return total + section + digit


def skip_hyphen(lexemes: Sequence[Lexeme], k: int) -> int:
    """The place behind the hyphen of "2-day", or `k`."""
    before, this, then = at(lexemes, k - 1), at(lexemes, k), at(lexemes, k + 1)
    joins = this.text == "-" and before.end == this.start and this.end == then.start and then.kind == "word"
    return k + 1 if joins else k


def at(lexemes: Sequence[Lexeme], i: int) -> Lexeme:
    """The lexeme at a place; an empty one beyond the ends."""
    return lexemes[i] if 0 <= i < len(lexemes) else _NOTHING
