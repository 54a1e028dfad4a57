"""Replaying a recipe on a set in many Parquet files, by many workers, row for row as on one machine."""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from prefect.runtime import flow_run
from pydantic import BaseModel, ConfigDict

from flows.applying import apply_teams, prepared
from operators.config import Data, ScaleOut
from operators.data.lease import Lease
from operators.errors import ConfigError, DataError
from operators.processing import TeamContext
from operators.results import Recipe, TeamRun
from operators.scale_out import QUARANTINE, ShardJob, ShardRun, sum_reports
from operators.strategist.space import Team
from operators.teams.base import OperatorReport, OperatorSpec
from operators.teams.registry import rebuild
from tasks.durable import in_store
from tasks.progress import say
from tasks.runtime import Runtime
from tasks.scaling_out import gather_files, look_up, process_shards, write_files

MAX_BAD_SHARE = 0.5
HELD = 15.0
"""Seconds for which an output is a run's after its last sign of life."""
Chain = list[tuple[Team, OperatorSpec]]


class ScaledOut(BaseModel):
    """What was done to all files, in counts."""

    model_config = ConfigDict(frozen=True)
    rows: int
    records: int
    rows_out: int
    reports: list[OperatorReport]
    runs: list[TeamRun]
    """Of what ran on the whole set."""


def process_in_files(
    recipe: Recipe,
    recipe_uri: str,
    context: TeamContext,
    data: Data,
    output: str,
    scale: ScaleOut,
    runtime: Runtime,
) -> ScaledOut:
    """The operators that judge each record alone run file by file; from the first on that does not, the set is
    gathered and processed as a set in one file is.

    Raises ConfigError where another run writes to the same directory: its files and these would mix.
    """
    alone, rest = _cut(recipe)
    gathers = bool(rest) or recipe.targeting.enabled
    sharded = look_up(data, output)
    rows = sum(s.rows for s in sharded.shards)
    say(f"{len(sharded.shards)} files with {rows} rows")
    if gathers:
        _check_size(rows, recipe, rest, recipe_uri, scale)
    job = ShardJob(
        source=sharded.source,
        specs=tuple(spec for _, spec in alone),
        context=context,
        left_out=recipe.left_out,
        leave_out=not recipe.targeting.enabled,  # flags come first, and rest on all records
        store=runtime.store,
        output=output,
        rows_at_once=scale.rows_at_once,
        keep=gathers,
    )
    with _alone(output):
        done = process_shards(sharded.shards, job, scale, runtime)
        say(f"{len(done)} files, {sum(r.reused for r in done)} of them done before")
        _check_share(done, data.input, output)
        reports = [sum_reports(r) for r in zip(*(run.reports for run in done), strict=True)]
        rows_out = sum(r.rows_out for r in done)
        runs: list[TeamRun] = []
        if gathers:
            rows_out, runs = _as_a_whole(done, rest, recipe, context, output, runtime)
            reports += [report for run in runs for report in run.reports]
    return ScaledOut(
        rows=sum(r.rows for r in done),
        records=sum(r.records for r in done),
        rows_out=rows_out,
        reports=reports,
        runs=runs,
    )


@contextmanager
def _alone(output: str) -> Iterator[None]:
    """No other run writes to the directory meanwhile. One that has died holds it for some seconds more."""
    lease = Lease(posixpath.join(output, "_writing"), str(flow_run.id), HELD)
    if not lease.wait(2 * HELD):
        raise ConfigError(f"{output}: another run writes there: wait for its end, or give another output")
    with lease.renewed():
        yield


def _as_a_whole(
    done: Sequence[ShardRun], rest: Chain, recipe: Recipe, context: TeamContext, output: str, runtime: Runtime
) -> tuple[int, list[TeamRun]]:
    kept = [run.kept for run in done if run.kept is not None]
    gathered = in_store(gather_files, runtime.store)(kept, runtime)
    source = gathered.dataset
    if recipe.targeting.enabled:  # else what repeats an evaluation record is left out already
        source = prepared(source, recipe, context, runtime)
    teams = [(team, [spec for _, spec in part]) for team, part in itertools.groupby(rest, lambda x: x[0])]
    runs = apply_teams(teams, source, context, runtime)
    final = runs[-1].dataset if runs else source
    outputs = [(posixpath.join(output, run.name), run.kept.source) for run in done if run.kept is not None]
    write_files(final, gathered, outputs, runtime)
    return final.rows, runs


def _cut(recipe: Recipe) -> tuple[Chain, Chain]:
    """The strategy's operators: those that run file by file, and all from the first on that needs the set."""
    chain = [(team, spec) for team in recipe.strategy for spec in recipe.teams[team]]
    if recipe.targeting.enabled:
        return [], chain
    operators = rebuild([spec for _, spec in chain])
    n = next((i for i, operator in enumerate(operators) if not operator.judges_alone()), len(chain))
    return chain[:n], chain[n:]


def _check_size(rows: int, recipe: Recipe, rest: Chain, uri: str, scale: ScaleOut) -> None:
    if rows <= scale.whole_set_rows:
        return
    what = "its targeting" if recipe.targeting.enabled else f"operator {rest[0][1].name} with these parameters"
    raise ConfigError(
        f"{uri}: {what} looks at the whole set, and {rows} rows are more than scale_out.whole_set_rows "
        f"({scale.whole_set_rows}); raise it where one worker has the memory, or use a recipe without it"
    )


def _check_share(done: Sequence[ShardRun], uri: str, output: str) -> None:
    rows, records = sum(r.rows for r in done), sum(r.records for r in done)
    bad = rows - records
    if records and bad <= MAX_BAD_SHARE * rows:
        return
    what = f"more than {MAX_BAD_SHARE:.0%} of the rows are bad" if records else "no row can be used"
    raise DataError(
        f"{uri}: {what}: {bad} of {rows}; each one is explained below {output}/{QUARANTINE}; mend the files or "
        "set data_format.format and data_format.columns"
    )
