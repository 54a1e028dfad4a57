"""What mattered in a search: the effect of teams and of their order, for the report."""

from __future__ import annotations

from collections.abc import Sequence

from operators.results import Contrast, DataCounts, Trial
from operators.strategist.posterior import posterior
from operators.strategist.space import Team
from operators.strategist.view import Remaining, agent_view


def what_matters(
    trials: Sequence[Trial], teams: Sequence[Team], data: DataCounts, confidence: float
) -> list[Contrast]:
    """The effect of each usable team and of each order of two, by the posterior over all trials, whose intervals
    have this `confidence`."""
    view = agent_view(
        task="",
        round=1,
        data=data,
        trials=trials,
        remaining=Remaining(rounds=0, trials=0),
        teams=teams,
        confidence=confidence,
    )
    return posterior(view).contrasts(view.history)
