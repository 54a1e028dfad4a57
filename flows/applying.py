"""What every replay of a recipe does to a set that is in the store: flags, then the teams in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from operators.config import Data, RowFormat
from operators.data.store import DatasetRef
from operators.processing import TeamContext
from operators.results import Recipe, TeamRun
from operators.strategist.space import Team
from operators.teams.base import OperatorSpec
from tasks.durable import in_store
from tasks.processing import apply_team
from tasks.progress import say
from tasks.replaying import leave_out
from tasks.runtime import Runtime
from tasks.scoring import embed, flag_low_quality


def read_as(uri: str, told: RowFormat, recipe: Recipe | None) -> Data:
    """How a set is read: as the caller says, else as the recipe's was."""
    known = recipe.data_format if recipe and told == RowFormat() else told
    return Data(input=uri, format=known.format, columns=known.columns)


def prepared(dataset: DatasetRef, recipe: Recipe, context: TeamContext, runtime: Runtime) -> DatasetRef:
    """The loaded records with their quality flags, less those the recipe was judged on: as in the search."""
    if recipe.targeting.enabled:
        embedder = recipe.targeting_embedder or recipe.embedder
        sha256 = recipe.targeting_embedder_sha256 or recipe.embedder_sha256
        vectors = in_store(embed, runtime.store)(dataset, embedder, sha256, runtime)
        dataset = in_store(flag_low_quality, runtime.store)(
            dataset,
            vectors,
            recipe.targeting,
            sha256,
            recipe.seed,
            recipe.task,
            runtime,
        ).dataset
    if context.held_out is None:
        return dataset
    return in_store(leave_out, runtime.store)(dataset, context.held_out, recipe.left_out, runtime.store)


def apply_teams(
    teams: Iterable[tuple[Team, Sequence[OperatorSpec]]],
    source: DatasetRef,
    context: TeamContext,
    runtime: Runtime,
) -> list[TeamRun]:
    """Applies the teams' operators, one team after the other."""
    runs: list[TeamRun] = []
    for team, specs in teams:
        run = in_store(apply_team, runtime.store, str(team))(
            team, list(specs), runs[-1] if runs else source, context, runtime
        )
        say(f"{team}: {run.source.rows} -> {run.dataset.rows} records")
        runs.append(run)
    return runs
