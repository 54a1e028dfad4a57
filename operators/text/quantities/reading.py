"""Numbers in a text, with all that makes them say something else: comparator, sign, currency, scale and unit.

"INR < 3" is not "INR > 3", "$5 million" is neither "€5 million" nor "$5 billion", and "5 mg/kg" is not "5 mg/day".
What is spelled in several ways ("<3" and "less than 3", "5mg" and "5 milligrams", "五毫克") is read as one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from operators.text.quantities import words
from operators.text.quantities.comparators import comparator_before, comparator_behind
from operators.text.quantities.lexemes import Lexeme, at, skip_hyphen, split
from operators.text.quantities.units import number_words, rate_at, scale_of, unit_at

_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?")
_PLAIN = re.compile(r"(\d+)(?:\.(\d+))?")
_WEAK_RATES = words.TIMES | {"time", "dose"}


class Quantity(NamedTuple):
    """A number that a text states."""

    number: str
    unit: str = ""
    comparator: str = ""
    sign: str = ""
    per: tuple[str, ...] = ()
    """Units it is divided by, sorted."""
    soft: bool = False
    """Whether the comparator may go unsaid: "over 5 days" is "during" as well as "more than"."""

    @property
    def key(self) -> tuple[str, ...]:
        """Number, unit and sign."""
        return self.number, self.unit, self.sign

    def agrees(self, other: Quantity) -> bool:
        """Whether both may say the same. A rate in time may stand elsewhere ("take 5 mg once every day")."""
        first, second = set(self.per), set(other.per)
        if self.key != other.key or first - _WEAK_RATES != second - _WEAK_RATES:
            return False
        first, second = first & _WEAK_RATES, second & _WEAK_RATES
        if first and second and first != second:
            return False
        unsaid = (self.soft and not other.comparator) or (other.soft and not self.comparator)
        return unsaid or self.comparator == other.comparator


class Stated(NamedTuple):
    quantity: Quantity
    about: frozenset[str]
    """The words of its clause: what it is a number of."""


def read(text: str) -> list[Stated]:
    """The numbers in order. A clause with several gives each the words before it, and the last one the rest."""
    lexemes = number_words(split(text))
    found: list[Stated] = []
    clause = 0  # index of the first number of the clause
    about: list[str] = []
    i = 0

    def close() -> None:
        if len(found) > clause:
            found[-1] = found[-1]._replace(about=found[-1].about | frozenset(about))

    while i < len(lexemes):
        lexeme = lexemes[i]
        i += 1
        if lexeme.kind == "number":
            quantity, i = _quantity(lexemes, i - 1)
            found.append(Stated(quantity, frozenset(about)))
            about = []
            continue
        if lexeme.text in words.CLAUSE_ENDS:
            close()
            clause, about = len(found), []
        elif lexeme.kind == "word":
            about.append(lexeme.text)
    close()
    return found


def _quantity(lexemes: Sequence[Lexeme], i: int) -> tuple[Quantity, int]:
    """The number at place `i`, and the place behind all that belongs to it."""
    number = lexemes[i]
    currency, sign, j = _leading(lexemes, i)
    comparator, soft, j = comparator_before(lexemes, j)
    per = set()
    before = unit_at(lexemes, j)
    if before and before[1] == j + 1 and at(lexemes, j - 1).text in words.PER - {"/"}:
        per.add(before[0])
    k = i + 1
    plus = at(lexemes, k).text == "+" and at(lexemes, k).start == number.end
    if plus and at(lexemes, k + 1).kind != "number":
        comparator, k = comparator or "≥", k + 1
    power = 0
    while scale := scale_of(at(lexemes, skip_hyphen(lexemes, k)).text, money=bool(currency)):
        power, k = power + scale, skip_hyphen(lexemes, k) + 1
    unit = currency
    if (follows := unit_at(lexemes, skip_hyphen(lexemes, k))) and (not currency or follows[0] == currency):
        unit, k = follows
    while rate := rate_at(lexemes, k):
        per.add(rate[0])
        k = rate[1]
    after, k = comparator_behind(lexemes, k)
    soft = soft or (comparator == ">" and at(lexemes, j + 1).text == "over" and unit in words.TIMES)
    value = _value(number.text, power)
    return Quantity(value, unit, comparator or after, sign, tuple(sorted(per)), soft), k


def _leading(lexemes: Sequence[Lexeme], i: int) -> tuple[str, str, int]:
    """Currency and sign before the number at `i`, and the place before them."""
    currency = sign = ""
    j = i - 1
    while j >= 0:
        this, before = lexemes[j], at(lexemes, j - 1)
        unit = words.UNIT.get(this.text, "")
        if not currency and unit in words.CURRENCIES and (this.kind == "symbol" or len(this.text) == 3):
            currency = unit
            if this.text == "$" and before.end == this.start and before.kind == "word" and len(before.text) <= 2:
                currency = "$" if before.text == "us" else f"{before.text}$"
                j -= 1
        elif not sign and this.text == "±":
            sign = "±"
        elif not sign and this.text == "minus" and before.text == "or" and at(lexemes, j - 2).text == "plus":
            sign, j = "±", j - 2
        elif not sign and _is_minus(before, this, lexemes[j + 1]):
            sign = "-"
        elif this.text != "+" or this.end != lexemes[j + 1].start:
            break
        j -= 1
    return currency, sign, j


def _is_minus(before: Lexeme, this: Lexeme, number: Lexeme) -> bool:
    """Whether this is a minus: not the hyphen of "10-20", "5%-10%" or "COVID-19", nor the mark of a list."""
    if this.text in ("minus", "negative"):
        return before.kind != "number"
    if this.text != "-" or this.end != number.start:
        return False
    return before.end != this.start or (before.kind == "symbol" and before.text not in "-)]%°")


def _value(number: str, power: int) -> str:
    """The digits without separators of thousands, times a power of ten: "2.5" million is "2500000"."""
    base, _, exponent = number.partition("^")
    base = f"0{base}" if base.startswith(".") else base
    if _THOUSANDS.fullmatch(base):
        base = base.replace(",", "")
    if power and (plain := _PLAIN.fullmatch(base)):
        digits = plain[1] + (plain[2] or "").ljust(power, "0")
        point = len(plain[1]) + power
        base = ".".join(filter(None, (digits[:point].lstrip("0") or "0", digits[point:])))
    elif power:
        base = f"{base}e{power}"
    return f"{base}^{exponent}" if exponent else base
