"""All that a strategist may see: the privacy boundary.

The only free text in an `AgentView` is the owner's own task description. Every other field is a number or a
member of a fixed set, so no record, model answer, judge rationale or exception message has a field to hide in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from operators.results import Comparison, DataCounts, Trial
from operators.strategist.effects import Change, team_effects
from operators.strategist.space import Strategy, Team, all_strategies

Decision = Literal["continue", "best", "no_processing"]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0)]
Score = Annotated[float, Field(ge=-1, le=1)]
Difference = Annotated[float, Field(ge=-2, le=2)]


class View(BaseModel):
    """Base of all parts: frozen, closed, and nothing is coerced (text never becomes a number or back)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Counts(View):
    """Rows of the data set, the share flagged as low quality, and rows of the sample the trials run on."""

    rows: Count
    flagged_share: Share | None
    """None where quality was not scored: all records are processed."""
    sampled: Count


class Remaining(View):
    """What is left of the budget, this round included; None where the owner set no limit."""

    rounds: Count
    trials: Count
    minutes: float | None = None
    tokens: int | None = None


class Tried(View):
    """One finished trial. A score inside the noise floor is 0; `measured` and its standard error `error` are as
    they came. `rows_left` is the share of the sample's rows that was trained on. `stopped`: a race ended its
    training, so it tells of its teams but cannot be the best."""

    round: Count
    strategy: tuple[Team, ...]
    score: Score
    low: Score
    high: Score
    measured: Score
    error: Share
    rows_left: Share
    stopped: bool = False


class Effect(View):
    """What one change to one team did to the score, averaged over `pairs` of trials that differ in it alone.

    `round` is the round whose trials were compared with each other (and with the baseline), None for all
    rounds together. Removing a team, or moving it later, has the opposite sign.
    """

    round: int | None
    team: Team
    change: Change
    pairs: Count
    difference: Difference
    low: Difference
    high: Difference


class AgentView(View):
    """What a strategist is given to propose the strategies of `round` (counted from 1)."""

    task: str = Field("", max_length=2000)
    """The owner's description of what the model is for. Written by a person, never taken from data."""
    round: int = Field(ge=1)
    teams: tuple[Team, ...] = tuple(Team)
    """Teams that can be used."""
    counts: Counts
    remaining: Remaining
    history: tuple[Tried, ...] = ()
    effects: tuple[Effect, ...] = ()
    failed: tuple[tuple[Team, ...], ...] = ()
    """Strategies that left nothing that a model could be tuned on."""
    stopped: tuple[tuple[Team, ...], ...] = ()
    """Strategies whose training a race ended, where a judge reads answers: they wrote none, so they have no score
    on the others' scale."""

    @property
    def finished(self) -> list[Tried]:
        """The trials that were trained to the end: one of them may be the best."""
        return [t for t in self.history if not t.stopped]

    @property
    def tried(self) -> frozenset[Strategy]:
        """Strategies that need no other trial."""
        return frozenset([*(t.strategy for t in self.history), *self.failed, *self.stopped])

    @property
    def untried(self) -> list[Strategy]:
        """Strategies of the usable teams that were not tried, short ones first, in a fixed order."""
        tried = self.tried
        return [s for s in all_strategies() if s not in tried and set(s) <= set(self.teams)]

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What the scores allow to decide: nothing is over before the first round, a best strategy has a score
        above zero, and data with a strategy above zero beyond its interval do need processing."""
        allowed: list[Decision] = ["continue"]
        if any(t.score > 0 for t in self.finished):
            allowed.append("best")
        if self.history and not any(t.low > 0 for t in self.finished):
            allowed.append("no_processing")
        return tuple(allowed)

    @property
    def best(self) -> Tried | None:
        """The finished trial with the highest score; of equals the shortest, then the earliest."""
        return min(self.finished, key=lambda t: (-t.score, len(t.strategy), t.round), default=None)


def agent_view(
    *,
    task: str,
    round: int,
    data: DataCounts,
    trials: Sequence[Trial],
    remaining: Remaining,
    teams: Sequence[Team] = tuple(Team),
    failed: Sequence[Strategy] = (),
    confidence: float = 0.95,
) -> AgentView:
    """Builds the view by copying numbers. Scores, intervals and shares are rounded to two decimals: a score
    of many digits could carry more than a score. `confidence` is that of the trials' intervals. Effects are of
    trials that were trained to the end: what racing stopped was compared with an earlier state of the baseline."""
    scored = _on_one_scale(trials)
    return AgentView(
        task=task,
        round=round,
        teams=tuple(teams),
        counts=Counts(
            rows=data.rows,
            flagged_share=None if data.flagged is None else _two(data.flagged / max(data.rows, 1)),
            sampled=data.sampled,
        ),
        remaining=remaining,
        history=tuple(
            Tried(
                round=t.round,
                strategy=t.strategy,
                score=_two(t.score),
                low=_two(t.score_ci[0]),
                high=_two(t.score_ci[1]),
                measured=_two(t.comparison.score),
                error=_two(_standard_error(t.comparison, confidence)),
                rows_left=_two(t.rows / max(data.sampled, 1)),
                stopped=t.stopped,
            )
            for t in scored
        ),
        effects=tuple(
            Effect(
                round=e.round,
                team=e.team,
                change=e.change,
                pairs=e.pairs,
                difference=_two(e.difference),
                low=_two(e.low),
                high=_two(e.high),
            )
            for e in team_effects([t for t in scored if not t.stopped])
        ),
        failed=tuple(failed),
        stopped=tuple(t.strategy for t in trials if t not in scored),
    )


def _on_one_scale(trials: Sequence[Trial]) -> list[Trial]:
    """All trials, but for those that were compared by likelihood where an LLM judged others."""
    judged = any(t.comparison.details is not None for t in trials)
    return [t for t in trials if not (judged and t.stopped)]


def _standard_error(comparison: Comparison, confidence: float) -> float:
    """Of a score, from its interval; at least what one win and one loss more would leave. A judge that was stopped
    after sixteen wins in a row has an interval without width, and is not certain for that."""
    low, high = comparison.score_ci
    error = (high - low) / (2 * NormalDist().inv_cdf((1 + confidence) / 2))
    n, score = comparison.n, comparison.score
    squares = n * (n * error**2 + score**2) + 2
    variance = squares / (n + 2) - (n * score / (n + 2)) ** 2
    return max(error, math.sqrt(max(variance, 0.0) / (n + 2)))


def _two(value: float) -> float:
    return round(float(value), 2) + 0.0  # + 0.0 turns -0.0 into 0.0
