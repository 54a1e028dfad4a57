"""What makes a number a limit: "less than 5", "5 or more", "not above 5"."""

from __future__ import annotations

from collections.abc import Sequence

from operators.text.quantities import words
from operators.text.quantities.lexemes import Lexeme, at

_NEGATION_REACH = 6
"""Words between "not" and what it negates: "do not use this medicine for more than 5 days"."""


def comparator_before(lexemes: Sequence[Lexeme], j: int) -> tuple[str, bool, int]:
    """The comparator that ends at place `j`, whether it may go unsaid, and the place before it."""
    while j >= 0 and lexemes[j].text in words.ROUGHLY:
        j -= 1
    this, before = at(lexemes, j).text, at(lexemes, j - 1).text
    or_equal = this == "to" and before == "equal"
    if or_equal:
        j -= 3 if at(lexemes, j - 2).text == "or" else 2
        this, before = at(lexemes, j).text, at(lexemes, j - 1).text
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


def _negated(lexemes: Sequence[Lexeme], j: int) -> bool:
    for lexeme in reversed(lexemes[max(j + 1 - _NEGATION_REACH, 0) : max(j + 1, 0)]):
        if lexeme.text in words.CLAUSE_ENDS:
            return False
        if lexeme.text in words.NEGATIONS or lexeme.text.endswith("n't"):
            return True
    return False


def comparator_behind(lexemes: Sequence[Lexeme], k: int) -> tuple[str, int]:
    """The comparator of "5 or more", "65 and over" and "3 < INR" as the number's own, and the place behind it."""
    this, then = at(lexemes, k).text, at(lexemes, k + 1).text
    behind = at(lexemes, k + 2)
    if this in words.HAN_AFTER:
        return words.HAN_AFTER[this], k + 1
    if this in ("or", "and") and then in words.AFTER and behind.kind != "number" and behind.text != "than":
        return words.AFTER[then], k + 2
    if this in words.FLIPPED and at(lexemes, k + 1).kind == "word":
        return words.FLIPPED[this], k
    return "", k
