"""The steps of a replay on a set in many files. Their results are small: counts, and what describes the files."""

from __future__ import annotations

import functools

from prefect import task
from pydantic import BaseModel, ConfigDict

from operators import jobs, scale_out, whole_set
from operators.config import Data, ScaleOut
from operators.data.loading import describe
from operators.data.schemas import SourceSchema
from operators.data.shards import Shard, check_output, find_shards
from operators.data.store import DatasetRef
from operators.ray_data import map_each
from operators.scale_out import ShardJob, ShardRun
from operators.whole_set import Gathered, StoredShard
from tasks.durable import durable, may_pass, silenced
from tasks.progress import shown
from tasks.runtime import Runtime

WHOLE_SET = "give the machine more, or use a recipe without operators that look at the whole set (docs/operate.md)"
"""What helps where the records of all files do not fit into one worker's memory."""


class Sharded(BaseModel):
    """A set in many files: which, and how its rows spell a conversation."""

    model_config = ConfigDict(frozen=True)
    shards: list[Shard]
    source: SourceSchema


@task(name="find-shards", task_run_name="find the files of {data.input}")
@silenced
def look_up(data: Data, output: str) -> Sharded:
    """Finds the files of a set, and checks the place for its output."""
    shards = find_shards(data.input)
    check_output(output, data.input, shards)
    source = describe([s.uri for s in shards], format=data.format, columns=data.columns)
    return Sharded(shards=shards, source=source)


@durable(
    "gather-files",
    content=lambda shards, runtime: [[s.dataset.sha256, s.own_ids.sha256, s.source] for s in shards],  # noqa: ARG005
)
def gather_files(shards: list[StoredShard], runtime: Runtime) -> Gathered:
    """All files' records as one set, in the store."""
    with shown() as progress:
        return jobs.run(
            whole_set.gather,
            shards,
            runtime.store,
            cluster=runtime.cluster,
            progress=progress,
            to_save_memory=WHOLE_SET,
        )


@task(name="write-files", task_run_name="write files")
@silenced
def write_files(
    dataset: DatasetRef, gathered: Gathered, outputs: list[tuple[str, SourceSchema]], runtime: Runtime
) -> None:
    """Writes a processed set to the files it came from."""
    with shown() as progress:
        jobs.run(
            whole_set.write_back,
            dataset,
            gathered.ids,
            outputs,
            runtime.store,
            cluster=runtime.cluster,
            progress=progress,
            to_save_memory=WHOLE_SET,
        )


@task(name="process-shards", retries=2, retry_delay_seconds=[2, 20], retry_condition_fn=may_pass)
@silenced
def process_shards(shards: list[Shard], job: ShardJob, scale: ScaleOut, runtime: Runtime) -> list[ShardRun]:
    """Processes all files on Ray Data. No cache of its own: each file's mark tells what is done."""
    runs = map_each(
        functools.partial(scale_out.process_shard, job),
        shards,
        size=lambda shard: shard.rows,
        cluster=runtime.cluster,
        workers=scale.workers,
    )
    done: dict[str, ShardRun] = {}
    with shown() as progress:
        progress("files", 0, len(shards))
        for run in runs:
            done[run.name] = run
            progress("files", len(done), len(shards))
    return [done[shard.name] for shard in shards]
