"""Numbers in a text, with all that makes them say something else: comparator, sign, currency, scale and unit.

"INR < 3" is not "INR > 3", "$5 million" is neither "€5 million" nor "$5 billion", and "5 mg/kg" is not "5 mg/day".
What is spelled in several ways ("<3" and "less than 3", "5mg" and "5 milligrams", "五毫克") is read as one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from operators.text import quantity_words as words
from operators.text.forms import compatible


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
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?")
_PLAIN = re.compile(r"(\d+)(?:\.(\d+))?")
_NEGATION_REACH = 6
"""Words between "not" and what it negates: "do not use this medicine for more than 5 days"."""
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


class Change(NamedTuple):
    """What became of a text's numbers in another version of it."""

    lost: bool
    added: bool
    swapped: bool
    """The numbers are the same but have exchanged places: the dose of the morning is now that of the night."""


class _Lexeme(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


class _Stated(NamedTuple):
    quantity: Quantity
    about: frozenset[str]
    """The words of its clause: what it is a number of."""


_NOTHING = _Lexeme("", "", -1, -1)


def quantities(text: str) -> Counter[Quantity]:
    """The numbers of a text: digits of any script, and number words where a unit follows ("five" is a word of many
    uses, "five mg" is a dose). 一天 and "one day" are none: they are "a day" as often."""
    return Counter(stated.quantity for stated in _read(text))


def change(before: str, after: str) -> Change:
    """Which numbers `after` lost and added, and whether two of them changed places.

    Sentences may be put in another order, so a number is swapped only where the order changed and those that moved
    stand among the words that another one stood among, more than among their own. What is swapped and reworded
    at once is not seen.
    """
    first, second = _read(before), _read(after)
    here, there = (Counter(stated.quantity for stated in found) for found in (first, second))
    lost, added = here - there, there - here
    alike: dict[tuple[str, ...], list[Quantity]] = {}
    for quantity in added:
        alike.setdefault(quantity.key, []).append(quantity)
    for quantity in lost:
        for other in filter(quantity.agrees, alike.get(quantity.key, ())):
            common = min(lost[quantity], added[other])
            lost[quantity] -= common
            added[other] -= common
    some_lost, some_added = any(lost.values()), any(added.values())
    return Change(some_lost, some_added, not some_lost and not some_added and _swapped(first, second))


def _swapped(first: Sequence[_Stated], second: Sequence[_Stated]) -> bool:
    here, there = _unique(first), _unique(second)
    before = [key for key in here if key in there]
    after = [key for key in there if key in here]
    moved = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    own = sum(_overlap(here[a], there[a]) for a, _ in moved)
    others = sum(_overlap(here[a], there[b]) for a, b in moved)
    return others > own and others >= len(moved) / 2


def _unique(found: Sequence[_Stated]) -> dict[tuple[str, ...], frozenset[str]]:
    """What each number that is stated once is about, in the order of the text."""
    keys = [stated.quantity.key for stated in found]
    counts = Counter(keys)
    return {key: stated.about for key, stated in zip(keys, found, strict=True) if counts[key] == 1}


def _overlap(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a or b else 1.0


def _read(text: str) -> list[_Stated]:
    """The numbers in order. A clause with several gives each the words before it, and the last one the rest."""
    lexemes = _number_words(_lexemes(text))
    found: list[_Stated] = []
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
            found.append(_Stated(quantity, frozenset(about)))
            about = []
            continue
        if lexeme.text in words.CLAUSE_ENDS:
            close()
            clause, about = len(found), []
        elif lexeme.kind == "word":
            about.append(lexeme.text)
    close()
    return found


def _lexemes(text: str) -> list[_Lexeme]:
    plain = compatible(text)
    if not plain.isascii():
        plain = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in plain).translate(_SPELLED)
        plain = _HAN_PERCENT.sub(lambda m: f"{_han_value(m[1]) or m[1]}%", plain)
        plain = _HAN_NUMBER.sub(_in_digits, plain)
    plain = _TAG.sub(" ", plain)
    plain = plain.replace("<=", "≤").replace(">=", "≥").replace("+/-", "±")
    plain = _ARROW.sub("→", plain)
    return [_Lexeme(str(m.lastgroup), m.group(), *m.span()) for m in _LEXEME.finditer(plain.casefold())]


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


def _number_words(lexemes: list[_Lexeme]) -> list[_Lexeme]:
    """The same with "twenty-five" in digits where a unit follows, and "twice" as "2 times"."""
    made: list[_Lexeme] = []
    i = 0
    while i < len(lexemes):
        lexeme = lexemes[i]
        if lexeme.text in words.TWICE:
            made.append(lexeme._replace(kind="number", text=str(words.TWICE[lexeme.text])))
            made.append(lexeme._replace(text="times"))
        elif lexeme.text in words.NUMBERS:
            value, end = _number_word(lexemes, i)
            follows = _skip_hyphen(lexemes, end)
            if value > 1 and (_at(lexemes, follows).text in words.SCALES or _unit(lexemes, follows)):
                made.append(_Lexeme("number", str(value), lexeme.start, lexemes[end - 1].end))
            else:
                made += lexemes[i:end]
            i = end
            continue
        else:
            made.append(lexeme)
        i += 1
    return made


def _number_word(lexemes: Sequence[_Lexeme], i: int) -> tuple[int, int]:
    """The value of the number words that begin here, below a thousand, and the place behind them."""
    value, i = _below_a_hundred(lexemes, i)
    if value <= 9 and _at(lexemes, i).text == "hundred":
        value, i = 100 * value, i + 1
        rest = i + (_at(lexemes, i).text == "and")
        if _at(lexemes, rest).text in words.NUMBERS:
            more, i = _below_a_hundred(lexemes, rest)
            value += more
    return value, i


def _below_a_hundred(lexemes: Sequence[_Lexeme], i: int) -> tuple[int, int]:
    value, i = words.NUMBERS[lexemes[i].text], i + 1
    ones = _skip_hyphen(lexemes, i)
    if value >= 20 and 1 <= words.NUMBERS.get(_at(lexemes, ones).text, 0) <= 9:
        return value + words.NUMBERS[lexemes[ones].text], ones + 1
    return value, i


def _quantity(lexemes: Sequence[_Lexeme], i: int) -> tuple[Quantity, int]:
    """The number at place `i`, and the place behind all that belongs to it."""
    number = lexemes[i]
    currency, sign, j = _leading(lexemes, i)
    comparator, soft, j = _comparator(lexemes, j)
    per = set()
    before = _unit(lexemes, j)
    if before and before[1] == j + 1 and _at(lexemes, j - 1).text in words.PER - {"/"}:
        per.add(before[0])
    k = i + 1
    plus = _at(lexemes, k).text == "+" and _at(lexemes, k).start == number.end
    if plus and _at(lexemes, k + 1).kind != "number":
        comparator, k = comparator or "≥", k + 1
    power = 0
    while scale := _scale(_at(lexemes, _skip_hyphen(lexemes, k)).text, money=bool(currency)):
        power, k = power + scale, _skip_hyphen(lexemes, k) + 1
    unit = currency
    if (follows := _unit(lexemes, _skip_hyphen(lexemes, k))) and (not currency or follows[0] == currency):
        unit, k = follows
    while rate := _rate(lexemes, k):
        per.add(rate[0])
        k = rate[1]
    after, k = _comparator_behind(lexemes, k)
    soft = soft or (comparator == ">" and _at(lexemes, j + 1).text == "over" and unit in words.TIMES)
    value = _value(number.text, power)
    return Quantity(value, unit, comparator or after, sign, tuple(sorted(per)), soft), k


def _leading(lexemes: Sequence[_Lexeme], i: int) -> tuple[str, str, int]:
    """Currency and sign before the number at `i`, and the place before them."""
    currency = sign = ""
    j = i - 1
    while j >= 0:
        this, before = lexemes[j], _at(lexemes, j - 1)
        unit = words.UNIT.get(this.text, "")
        if not currency and unit in words.CURRENCIES and (this.kind == "symbol" or len(this.text) == 3):
            currency = unit
            if this.text == "$" and before.end == this.start and before.kind == "word" and len(before.text) <= 2:
                currency = "$" if before.text == "us" else f"{before.text}$"
                j -= 1
        elif not sign and this.text == "±":
            sign = "±"
        elif not sign and this.text == "minus" and before.text == "or" and _at(lexemes, j - 2).text == "plus":
            sign, j = "±", j - 2
        elif not sign and _is_minus(before, this, lexemes[j + 1]):
            sign = "-"
        elif this.text != "+" or this.end != lexemes[j + 1].start:
            break
        j -= 1
    return currency, sign, j


def _is_minus(before: _Lexeme, this: _Lexeme, number: _Lexeme) -> bool:
    """Whether this is a minus: not the hyphen of "10-20", "5%-10%" or "COVID-19", nor the mark of a list."""
    if this.text in ("minus", "negative"):
        return before.kind != "number"
    if this.text != "-" or this.end != number.start:
        return False
    return before.end != this.start or (before.kind == "symbol" and before.text not in "-)]%°")


def _comparator(lexemes: Sequence[_Lexeme], j: int) -> tuple[str, bool, int]:
    """The comparator that ends at place `j`, whether it may go unsaid, and the place before it."""
    while j >= 0 and lexemes[j].text in words.ROUGHLY:
        j -= 1
    this, before = _at(lexemes, j).text, _at(lexemes, j - 1).text
    or_equal = this == "to" and before == "equal"
    if or_equal:
        j -= 3 if _at(lexemes, j - 2).text == "or" else 2
        this, before = _at(lexemes, j).text, _at(lexemes, j - 1).text
    if this in words.SYMBOLS:
        return this, False, j - 1
    if this in words.HAN_BEFORE:
        return words.HAN_BEFORE[this], False, j - 1
    if (before, this) in words.PHRASES:
        return words.PHRASES[before, this], False, j - 2
    if this in words.LIMITS:
        return words.LIMITS[this], True, j - 1
    if this in ("than", "then") and before in words.THAN:
        found, start = words.THAN[before], j - 2
    elif this in words.BEFORE and not or_equal:
        found, start = words.BEFORE[this], j - 1
    else:
        return "", False, j
    if or_equal:
        found = words.OR_EQUAL[found]
    return words.NEGATED[found] if _negated(lexemes, start) else found, False, start


def _negated(lexemes: Sequence[_Lexeme], j: int) -> bool:
    for lexeme in reversed(lexemes[max(j + 1 - _NEGATION_REACH, 0) : max(j + 1, 0)]):
        if lexeme.text in words.CLAUSE_ENDS:
            return False
        if lexeme.text in words.NEGATIONS or lexeme.text.endswith("n't"):
            return True
    return False


def _comparator_behind(lexemes: Sequence[_Lexeme], k: int) -> tuple[str, int]:
    """The comparator of "5 or more", "65 and over" and "3 < INR" as the number's own, and the place behind it."""
    this, then = _at(lexemes, k).text, _at(lexemes, k + 1).text
    behind = _at(lexemes, k + 2)
    if this in words.HAN_AFTER:
        return words.HAN_AFTER[this], k + 1
    if this in ("or", "and") and then in words.AFTER and behind.kind != "number" and behind.text != "than":
        return words.AFTER[then], k + 2
    if this in words.FLIPPED and _at(lexemes, k + 1).kind == "word":
        return words.FLIPPED[this], k
    return "", k


def _scale(text: str, *, money: bool) -> int:
    power = words.SCALES.get(text) or words.HAN_SCALES.get(text) or 0
    return power or (words.SHORT_SCALES.get(text, 0) if money else 0)


def _unit(lexemes: Sequence[_Lexeme], k: int) -> tuple[str, int] | None:
    """The unit that begins at place `k`, and the place behind it."""
    this, then = _at(lexemes, k).text, _at(lexemes, k + 1).text
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


def _rate(lexemes: Sequence[_Lexeme], k: int) -> tuple[str, int] | None:
    """The unit that a number is divided by, as in "/kg", "per day", "a day", "daily", and the place behind it."""
    this = _at(lexemes, k).text
    if this in words.RATES:
        return words.RATES[this], k + 1
    if this == "for" and _at(lexemes, k + 1).text in ("each", "every"):
        return _unit(lexemes, k + 2)
    unit = _unit(lexemes, k + 1) if this in words.PER or this in ("a", "an") else None
    return unit if unit and (this in words.PER or unit[0] in words.TIMES) else None


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


def _skip_hyphen(lexemes: Sequence[_Lexeme], k: int) -> int:
    """The place behind the hyphen of "2-day", or `k`."""
    before, this, then = _at(lexemes, k - 1), _at(lexemes, k), _at(lexemes, k + 1)
    joins = this.text == "-" and before.end == this.start and this.end == then.start and then.kind == "word"
    return k + 1 if joins else k


def _at(lexemes: Sequence[_Lexeme], i: int) -> _Lexeme:
    return lexemes[i] if 0 <= i < len(lexemes) else _NOTHING
