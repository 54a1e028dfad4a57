"""The steps of a replay on a set in many files. Their results are small: counts, and what describes the files."""

from __future__ import annotations

import functools

from prefect import task
from pydantic import BaseModel, ConfigDict

from operators import scale_out
from operators.config import Data, ScaleOut
from operators.data.loading import describe
from operators.data.schemas import SourceSchema
from operators.data.shards import Shard, file_names, find_shards
from operators.errors import DataError
from operators.ray_data import map_each
from operators.scale_out import ShardJob, ShardRun
from tasks.durable import may_pass, silenced
from tasks.progress import shown
from tasks.runtime import Runtime


class Sharded(BaseModel):
    """A set in many files: which, and how its rows spell a conversation."""

    model_config = ConfigDict(frozen=True)
    shards: list[Shard]
    source: SourceSchema


@task(name="find-shards")
@silenced
def look_up(data: Data, output: str) -> Sharded:
    """Finds the files of a set, and refuses an output directory that holds others: whoever reads the output would
    take them for part of it."""
    shards = find_shards(data.input)
    left_over = set(file_names(output)) - {shard.name for shard in shards}
    if left_over:
        raise DataError(f"{output}: {min(left_over)} is no file of the input; choose an empty place, or remove it")
    source = describe([s.uri for s in shards], format=data.format, columns=data.columns)
    return Sharded(shards=shards, source=source)


@task(name="process-shards", retries=2, retry_delay_seconds=[2, 20], retry_condition_fn=may_pass)
@silenced
def process_shards(shards: list[Shard], job: ShardJob, scale: ScaleOut, runtime: Runtime) -> list[ShardRun]:
    """Processes all files on Ray Data. No cache of its own: each file's mark tells what is done."""
    runs = map_each(
        functools.partial(scale_out.process_shard, job), shards, cluster=runtime.cluster, workers=scale.workers
    )
    done: dict[str, ShardRun] = {}
    with shown() as progress:
        progress("files", 0, len(shards))
        for run in runs:
            done[run.name] = run
            progress("files", len(done), len(shards))
    return [done[shard.name] for shard in shards]
