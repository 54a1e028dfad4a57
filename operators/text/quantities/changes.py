"""What became of a text's numbers in another version of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from operators.text.quantities.reading import Quantity, Stated, read


class Change(NamedTuple):
    """What became of a text's numbers in another version of it."""

    lost: bool
    added: bool
    swapped: bool
    """The numbers are the same but have exchanged places: the dose of the morning is now that of the night."""


def quantities(text: str) -> Counter[Quantity]:
    """The numbers of a text: digits of any script, and number words where a unit follows ("five" is a word of many
    uses, "five mg" is a dose). 一天 and "one day" are none: they are "a day" as often."""
    return Counter(stated.quantity for stated in read(text))


def change(before: str, after: str) -> Change:
    """Which numbers `after` lost and added, and whether two of them changed places.

    Sentences may be put in another order, so a number is swapped only where the order changed and those that moved
    stand among the words that another one stood among, more than among their own. What is swapped and reworded
    at once is not seen.
    """
    first, second = read(before), read(after)
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


def _swapped(first: Sequence[Stated], second: Sequence[Stated]) -> bool:
    here, there = _unique(first), _unique(second)
    before = [key for key in here if key in there]
    after = [key for key in there if key in here]
    moved = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    own = sum(_overlap(here[a], there[a]) for a, _ in moved)
    others = sum(_overlap(here[a], there[b]) for a, b in moved)
    return others > own and others >= len(moved) / 2


def _unique(found: Sequence[Stated]) -> dict[tuple[str, ...], frozenset[str]]:
    """What each number that is stated once is about, in the order of the text."""
    keys = [stated.quantity.key for stated in found]
    counts = Counter(keys)
    return {key: stated.about for key, stated in zip(keys, found, strict=True) if counts[key] == 1}


def _overlap(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a or b else 1.0
