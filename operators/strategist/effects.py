"""Group-relative comparison: what adding a team, or running it earlier, did to the score."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from operators.results import Trial
from operators.strategist.space import NO_PROCESSING, Strategy, Team

Change = Literal["added", "moved_earlier"]

CONFIDENCE = 0.95


@dataclass(frozen=True)
class TeamEffect:
    """Mean difference in score over `pairs` of trials, with its 95 % interval over questions."""

    round: int | None
    team: Team
    change: Change
    pairs: int
    difference: float
    low: float
    high: float


def team_effects(trials: Sequence[Trial]) -> list[TeamEffect]:
    """Effects within each round and, as round None, over all trials. The baseline (no processing, outcome 0
    on every question) belongs to every group, so a single team is compared with doing nothing.

    Two trials answer the same questions in the same order, so they are compared question by question: the
    differences are averaged over pairs first and the interval is taken over questions, which keeps pairs that
    share a trial from counting as independent evidence.
    """
    rounds: list[int | None] = [*sorted({t.round for t in trials}), None]
    return [
        effect
        for number in rounds
        for effect in _group_effects(number, [t for t in trials if number is None or t.round == number])
    ]


def differing_team(without: Strategy, with_it: Strategy) -> Team | None:
    """The one team that `with_it` has and `without` lacks, where the other teams and their order agree."""
    if len(with_it) != len(without) + 1:
        return None
    return next((t for t in with_it if tuple(x for x in with_it if x is not t) == without), None)


def moved_earlier(later: Strategy, earlier: Strategy) -> list[Team]:
    """Teams that run earlier in `earlier` than in `later`, where the other teams and their order agree. In a
    swap of two neighbours one team has moved earlier; seen from the other, it is the reverse of this pair."""
    return [
        t
        for t in earlier
        if t in later
        and earlier.index(t) < later.index(t)
        and [x for x in earlier if x is not t] == [x for x in later if x is not t]
    ]


def _group_effects(number: int | None, group: Sequence[Trial]) -> Iterator[TeamEffect]:
    outcomes: list[tuple[Strategy, list[float]]] = [(t.strategy, t.comparison.outcomes) for t in group]
    baseline = [0.0] * max((len(o) for _, o in outcomes), default=0)
    found: defaultdict[tuple[Change, Team], list[list[float]]] = defaultdict(list)
    for (a, outcome_a), (b, outcome_b) in itertools.permutations([(NO_PROCESSING, baseline), *outcomes], 2):
        added, moved = differing_team(a, b), moved_earlier(a, b)
        if not added and not moved:
            continue
        # Judging may stop early for one of the two, so only the questions both answered count.
        difference = [y - x for x, y in zip(outcome_a, outcome_b, strict=False)]
        if not difference:
            continue
        if added:
            found["added", added].append(difference)
        for team in moved:
            found["moved_earlier", team].append(difference)
    changes: tuple[Change, ...] = ("added", "moved_earlier")
    for change, team in itertools.product(changes, Team):
        if pairs := found.get((change, team)):
            asked = itertools.zip_longest(*pairs)
            questions = [statistics.fmean(v for v in values if v is not None) for values in asked]
            yield TeamEffect(number, team, change, len(pairs), *_mean_interval(questions))


def _mean_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and its normal interval, inside [-2, 2]."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, -2.0, 2.0
    quantile = statistics.NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    half = quantile * statistics.stdev(values) / math.sqrt(len(values))
    return mean, max(-2.0, mean - half), min(2.0, mean + half)
