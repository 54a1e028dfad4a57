"""The search space: ordered sequences of distinct teams."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from enum import StrEnum


class Team(StrEnum):
    """A family of processing operators."""

    CLEANING = "cleaning"
    GENERATION = "generation"
    OPTIMIZATION = "optimization"
    SELECTION = "selection"


Strategy = tuple[Team, ...]
"""Teams in the order they run, each at most once. The empty strategy is "no processing"."""

NO_PROCESSING: Strategy = ()


def strategy(names: Iterable[str]) -> Strategy:
    """Checks and builds a strategy. Raises ValueError on an unknown or repeated team."""
    teams = []
    for name in names:
        try:
            teams.append(Team(name))
        except ValueError:
            known = ", ".join(Team)
            raise ValueError(f"unknown team {str(name)[:40]!r}; the teams are {known}") from None
    if len(set(teams)) != len(teams):
        raise ValueError("a strategy names each team at most once")
    return tuple(teams)


def all_strategies(*, include_empty: bool = False) -> list[Strategy]:
    """The 64 non-empty strategies (65 with the empty one), short ones first, in a fixed order."""
    sizes = range(0 if include_empty else 1, len(Team) + 1)
    return [s for n in sizes for s in itertools.permutations(Team, n)]


def prefixes(of: Strategy) -> list[Strategy]:
    """The non-empty prefixes, shortest first; the last is the strategy itself."""
    return [of[:n] for n in range(1, len(of) + 1)]


def label(of: Strategy) -> str:
    """How a strategy is shown to people: "cleaning > selection", or "no processing"."""
    return " > ".join(of) if of else "no processing"
