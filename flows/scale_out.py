"""Replaying a recipe on a set in many Parquet files, by many workers, with bounded memory."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from operators.config import Data, ScaleOut
from operators.errors import ConfigError, DataError
from operators.processing import TeamContext
from operators.results import Recipe
from operators.scale_out import QUARANTINE, ShardJob, sum_reports
from operators.teams.base import OperatorReport, OperatorSpec
from operators.teams.registry import rebuild
from tasks.progress import say
from tasks.runtime import Runtime
from tasks.scaling_out import look_up, process_shards

MAX_BAD_SHARE = 0.5


class ScaledOut(BaseModel):
    """What was done to all files, in counts."""

    model_config = ConfigDict(frozen=True)
    rows: int
    records: int
    rows_out: int
    files: int
    reused: int
    """Files that an earlier run had done."""
    reports: list[OperatorReport]


def process_in_files(
    recipe: Recipe,
    recipe_uri: str,
    context: TeamContext,
    data: Data,
    output: str,
    scale: ScaleOut,
    runtime: Runtime,
) -> ScaledOut:
    """Processes every file by itself: row for row what the whole set in one file would give."""
    specs = _checked(recipe, recipe_uri)
    sharded = look_up(data, output)
    say(f"{len(sharded.shards)} files with {sum(s.rows for s in sharded.shards)} rows")
    job = ShardJob(
        source=sharded.source,
        specs=specs,
        context=context,
        left_out=recipe.left_out,
        store=runtime.store,
        output=output,
        rows_at_once=scale.rows_at_once,
    )
    runs = process_shards(sharded.shards, job, scale, runtime)
    total = ScaledOut(
        rows=sum(r.rows for r in runs),
        records=sum(r.records for r in runs),
        rows_out=sum(r.rows_out for r in runs),
        files=len(runs),
        reused=sum(r.reused for r in runs),
        reports=[sum_reports(reports) for reports in zip(*(r.reports for r in runs), strict=True)],
    )
    say(f"{total.files} files, {total.reused} of them done before: {total.records} -> {total.rows_out} records")
    _check_share(total, data.input, output)
    return total


def _checked(recipe: Recipe, uri: str) -> tuple[OperatorSpec, ...]:
    """The strategy's operators in order. Raises ConfigError where one needs more than one record at a time."""
    if recipe.targeting.enabled:
        raise ConfigError(
            f"{uri}: targeting learns from the whole set, so files cannot be processed one by one; leave "
            "scale_out out, or search with targeting: off"
        )
    specs = [spec for team in recipe.strategy for spec in recipe.teams[team]]
    for operator in rebuild(specs):
        if not operator.judges_alone():
            raise ConfigError(
                f"{uri}: operator {operator.name} with these parameters looks at the whole set, so files cannot "
                "be processed one by one; leave scale_out out, or use a recipe without it"
            )
    return tuple(specs)


def _check_share(total: ScaledOut, uri: str, output: str) -> None:
    bad = total.rows - total.records
    if total.records and bad <= MAX_BAD_SHARE * total.rows:
        return
    what = f"more than {MAX_BAD_SHARE:.0%} of the rows are bad" if total.records else "no row can be used"
    raise DataError(
        f"{uri}: {what}: {bad} of {total.rows}; each one is explained below {output}/{QUARANTINE}; mend the files "
        "or set data_format.format and data_format.columns"
    )
