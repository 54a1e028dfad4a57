"""What a search tells the UI as it goes: artifacts on the runs' pages, one series a search."""

from __future__ import annotations

import re
from collections.abc import Sequence

from prefect.artifacts import create_markdown_artifact

from operators.config import Budget
from operators.report import budget_table, story
from operators.results import Trial
from operators.strategist.space import Strategy


def artifact_key(name: str, what: str) -> str:
    """The name of a series of artifacts: lower-case letters, digits and dashes are all that Prefect takes."""
    return f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}-{what}".lstrip("-")


def tell_trials(name: str, trials: Sequence[Trial], after: str, winner: Strategy | None = None) -> None:
    """The trials of the search `name` so far: plot, leaderboard, tree."""
    create_markdown_artifact(
        story(trials, winner), key=artifact_key(name, "trials"), description=f"Trials of {name} after {after}"
    )


def tell_budget(name: str, budget: Budget, rounds: int, trials: int, minutes: float, tokens: int) -> None:
    """What the search `name` has used of its budget."""
    used = {
        "rounds": rounds,
        "trials": trials,
        "minutes": round(minutes, 1),
        "tokens": tokens,
    }
    create_markdown_artifact(
        budget_table(used, budget.model_dump(include=set(used))),
        key=artifact_key(name, "budget"),
        description=f"Budget of {name} after round {rounds}",
    )
