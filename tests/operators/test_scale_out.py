"""Shards processed one by one, and the marks that tell what is done."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sharded_set import ALONE, dirty_rows, read_files, write_files, write_whole

from operators.data.loading import describe, load
from operators.data.records import Message, Record
from operators.data.shards import find_shards
from operators.data.splits import without
from operators.data.store import Store
from operators.data.writers import write
from operators.errors import DataError
from operators.processing import TeamContext, opened
from operators.scale_out import ShardJob, ShardRun, process_shard
from operators.teams.registry import rebuild

ROWS = dirty_rows(300)


@pytest.fixture
def context(tmp_path: Path) -> TeamContext:
    leak = Record("e", (Message("user", ROWS[4]["question"]), Message("assistant", ROWS[4]["answer"])))
    held_out = Store(str(tmp_path / "store")).put_records([leak])
    names = {"target_model": "smollm2-135m-instruct", "embedder": "all-minilm-l6-v2"}
    return TeamContext(seed=0, **names, target_model_sha256="t", embedder_sha256="e", held_out=held_out)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_files(tmp_path / "in", ROWS, 5)


def job(tmp_path: Path, source: Path, context: TeamContext, rows_at_once: int = 7, specs=ALONE) -> ShardJob:
    return ShardJob(
        source=describe([s.uri for s in find_shards(str(source))]),
        specs=tuple(specs),
        context=context,
        left_out="question",
        store=str(tmp_path / "store"),
        output=str(tmp_path / "out"),
        rows_at_once=rows_at_once,
    )


def run(work: ShardJob, source: Path) -> list[ShardRun]:
    return [process_shard(work, shard) for shard in find_shards(str(source))]


def test_files_give_row_for_row_what_one_file_gives(tmp_path, source, context):
    runs = run(job(tmp_path, source, context), source)

    loaded = load(str(write_whole(tmp_path / "whole.parquet", ROWS)))
    place = Store(str(tmp_path / "store"))
    opened_context = opened(context, place)
    records = without(loaded.records, opened_context.held_out, same="question")
    reports = []
    for operator in rebuild(ALONE):
        records, report = operator.run(records, opened_context)
        reports.append(report)
    write(records, str(tmp_path / "expected.parquet"), loaded.source)
    expected = pq.read_table(tmp_path / "expected.parquet")

    assert read_files(tmp_path / "out") == expected.to_pylist()
    assert 100 < expected.num_rows < 250
    assert {f.name for f in (tmp_path / "out").glob("*.parquet")} == {f.name for f in source.iterdir()}
    assert all(pq.read_schema(f).equals(expected.schema) for f in (tmp_path / "out").glob("*.parquet"))
    assert sum(r.rows for r in runs) == loaded.rows
    assert sum(r.records for r in runs) == len(loaded.records)
    for k, report in enumerate(reports):
        assert sum(r.reports[k].rows_in for r in runs) == report.rows_in
        assert sum(r.reports[k].changed for r in runs) == report.changed
    dropped = [sum(r.reports[k].dropped for r in runs) for k in range(len(ALONE))]
    assert sum(d > 0 for d in dropped) >= 3, "the set is dirty enough to tell"


def test_bad_rows_are_set_aside_by_file(tmp_path, source, context):
    run(job(tmp_path, source, context), source)
    first = [0]
    for shard in find_shards(str(source)):
        first.append(first[-1] + shard.rows)
    found = {}
    for k, shard in enumerate(find_shards(str(source))):
        file = tmp_path / "out" / "_quarantine" / f"{shard.name}.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        found |= {first[k] + line["row"] - 1: line["reason"] for line in lines}
    assert found == dict.fromkeys(range(0, 300, 41), "question and answer are both empty")


def test_a_second_run_does_only_what_is_not_done(tmp_path, source, context):
    work = job(tmp_path, source, context)
    before = run(work, source)
    outputs = {f: f.stat().st_mtime_ns for f in (tmp_path / "out").rglob("*.parquet")}
    again = run(work, source)
    assert [r.model_dump(exclude={"reused"}) for r in again] == [r.model_dump(exclude={"reused"}) for r in before]
    assert [r.reused for r in again] == [True] * 5
    assert {f: f.stat().st_mtime_ns for f in (tmp_path / "out").rglob("*.parquet")} == outputs

    marks = sorted((tmp_path / "out" / "_marks").iterdir())
    files = sorted((tmp_path / "out").glob("*.parquet"))
    expected = [f.read_bytes() for f in files]
    marks[1].unlink()  # killed before the mark was written
    files[2].write_bytes(expected[2][:-9])  # damaged since
    files[3].unlink()
    marks[4].write_text(marks[4].read_text()[:20])
    assert [r.reused for r in run(work, source)] == [True, False, False, False, False]
    assert [f.read_bytes() for f in files] == expected


def test_another_recipe_or_another_input_is_other_work(tmp_path, source, context):
    run(job(tmp_path, source, context), source)
    assert not any(r.reused for r in run(job(tmp_path, source, context, specs=ALONE[:2]), source))
    # What the first recipe left was replaced, so its marks are gone too.
    assert not any(r.reused for r in run(job(tmp_path, source, context), source))
    write_whole(source / "part-002.parquet", ROWS[:9])
    assert [r.reused for r in run(job(tmp_path, source, context), source)] == [True, True, False, True, True]


def test_rows_at_once_change_nothing(tmp_path, source, context):
    run(job(tmp_path, source, context, rows_at_once=1), source)
    one = read_files(tmp_path / "out")
    for mark in (tmp_path / "out" / "_marks").iterdir():
        mark.unlink()
    run(job(tmp_path, source, context, rows_at_once=1000), source)
    assert read_files(tmp_path / "out") == one


def test_a_broken_file_is_named_and_leaves_no_mark(tmp_path, source, context):
    work, shards = job(tmp_path, source, context), find_shards(str(source))
    Path(shards[3].uri).write_bytes(b"PAR1 the patient's secret")
    with pytest.raises(DataError, match=r"in/part-003\.parquet: cannot be read") as caught:
        process_shard(work, shards[3])
    assert "secret" not in str(caught.value)
    assert not list((tmp_path / "out").rglob("*part-003*"))
