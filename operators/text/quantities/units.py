"""Units, rates and scales, and numbers in words that stand before a unit."""

from __future__ import annotations

from collections.abc import Sequence

from operators.text.quantities import words
from operators.text.quantities.lexemes import Lexeme, at, skip_hyphen


def scale_of(text: str, *, money: bool) -> int:
    """The power of ten that a word such as "million" stands for, 0 where it is none; "m" is one for money."""
    power = words.SCALES.get(text) or words.HAN_SCALES.get(text) or 0
    return power or (words.SHORT_SCALES.get(text, 0) if money else 0)


def unit_at(lexemes: Sequence[Lexeme], k: int) -> tuple[str, int] | None:
    """The unit that begins at place `k`, and the place behind it."""
    this, then = at(lexemes, k).text, at(lexemes, k + 1).text
    if this == "per" and then == "cent":
        return "%", k + 2
    if this == "percentage" and then in ("point", "points"):
        return "percentage point", k + 2
    if this == "mm" and then == "hg":
        return "mmhg", k + 2
    if this == "international" and then in ("unit", "units"):
        return "iu", k + 2
    unit = words.UNIT.get(this) or (words.UNIT.get(this[:-1]) if this.endswith("s") and len(this) > 2 else None)
    if unit is None:
        return None
    if unit == "°" and then in words.TEMPERATURES:
        return words.TEMPERATURES[then], k + 2
    return unit, k + 1


def rate_at(lexemes: Sequence[Lexeme], k: int) -> tuple[str, int] | None:
    """The unit that a number is divided by, as in "/kg", "per day", "a day", "daily", and the place behind it."""
    this = at(lexemes, k).text
    if this in words.RATES:
        return words.RATES[this], k + 1
    if this == "for" and at(lexemes, k + 1).text in ("each", "every"):
        return unit_at(lexemes, k + 2)
    unit = unit_at(lexemes, k + 1) if this in words.PER or this in ("a", "an") else None
    return unit if unit and (this in words.PER or unit[0] in words.TIMES) else None


def number_words(lexemes: list[Lexeme]) -> list[Lexeme]:
    """The same with "twenty-five" in digits where a unit follows, and "twice" as "2 times"."""
    made: list[Lexeme] = []
    i = 0
    while i < len(lexemes):
        lexeme = lexemes[i]
        if lexeme.text in words.TWICE:
            made.append(lexeme._replace(kind="number", text=str(words.TWICE[lexeme.text])))
            made.append(lexeme._replace(text="times"))
        elif lexeme.text in words.NUMBERS:
            value, end = _number_word(lexemes, i)
            follows = skip_hyphen(lexemes, end)
            if value > 1 and (at(lexemes, follows).text in words.SCALES or unit_at(lexemes, follows)):
                made.append(Lexeme("number", str(value), lexeme.start, lexemes[end - 1].end))
            else:
                made += lexemes[i:end]
            i = end
            continue
        else:
            made.append(lexeme)
        i += 1
    return made


def _number_word(lexemes: Sequence[Lexeme], i: int) -> tuple[int, int]:
    """The value of the number words that begin here, below a thousand, and the place behind them."""
    value, i = _below_a_hundred(lexemes, i)
    if value <= 9 and at(lexemes, i).text == "hundred":
        value, i = 100 * value, i + 1
        rest = i + (at(lexemes, i).text == "and")
        if at(lexemes, rest).text in words.NUMBERS:
            more, i = _below_a_hundred(lexemes, rest)
            value += more
    return value, i


def _below_a_hundred(lexemes: Sequence[Lexeme], i: int) -> tuple[int, int]:
    value, i = words.NUMBERS[lexemes[i].text], i + 1
    ones = skip_hyphen(lexemes, i)
    if value >= 20 and 1 <= words.NUMBERS.get(at(lexemes, ones).text, 0) <= 9:
        return value + words.NUMBERS[lexemes[ones].text], ones + 1
    return value, i
