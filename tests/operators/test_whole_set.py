"""Files gathered to one set and written back: as if they had been one file all along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sharded_set import ALONE, dirty_rows, read_files, write_files, write_whole

from operators.data.loading import describe, load
from operators.data.records import Message, Record
from operators.data.shards import find_shards
from operators.data.store import DatasetRef, Store
from operators.data.writers import write
from operators.errors import DataError
from operators.processing import TeamContext, opened
from operators.scale_out import ShardJob, ShardRun, process_shard
from operators.teams.base import OperatorSpec
from operators.teams.registry import build, rebuild
from operators.whole_set import Gathered, gather, write_back

ROWS = [*dirty_rows(200), *({**r, "n": 1000 + r["n"]} for r in dirty_rows(60))]
"""The last 60 are copies of the first, ids and all."""
TOGETHER = [
    build("near_duplicates").spec,
    build("truncated_answers", {"least_tokens": 1}).spec,
    build("random_selection").spec,
]
CONTEXT = TeamContext(
    seed=3,
    target_model="smollm2-135m-instruct",
    target_model_sha256="t",
    embedder="all-minilm-l6-v2",
    embedder_sha256="e",
)


def silent(_label: str, _done: int, _total: int) -> None:
    """No progress."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def kept(tmp_path: Path, specs: list[OperatorSpec]) -> list[ShardRun]:
    """The files' records after the operators that judge each alone, in the store."""
    shards = find_shards(str(tmp_path / "in"))
    job = ShardJob(
        source=describe([s.uri for s in shards]),
        specs=tuple(specs),
        context=CONTEXT,
        left_out="question",
        store=str(tmp_path / "store"),
        output=str(tmp_path / "out"),
        rows_at_once=11,
        keep=True,
    )
    return [process_shard(job, shard) for shard in shards]


def put_together(runs: list[ShardRun], store: Store) -> Gathered:
    return gather([r.kept for r in runs if r.kept], store.root, progress=silent)


def write_out(runs: list[ShardRun], dataset: DatasetRef, gathered: Gathered, tmp_path: Path) -> None:
    outputs = [(str(tmp_path / "out" / r.name), r.kept.source) for r in runs if r.kept]
    write_back(dataset, gathered.ids, outputs, str(tmp_path / "store"), progress=silent)


def applied(records: list[Record], specs: list[OperatorSpec], store: Store) -> list[Record]:
    for operator in rebuild(specs):
        records, _ = operator.run(records, opened(CONTEXT, store))
    return records


def test_the_rest_of_the_recipe_gives_what_it_gives_of_one_file(tmp_path: Path, store: Store) -> None:
    write_files(tmp_path / "in", ROWS, 4)
    runs = kept(tmp_path, ALONE[:3])
    gathered = put_together(runs, store)
    loaded = load(str(write_whole(tmp_path / "whole.parquet", ROWS)))
    cleaned = applied(loaded.records, ALONE[:3], store)
    assert [r.id for r in store.get_records(gathered.dataset)] == [r.id for r in cleaned]
    assert len({r.id for r in cleaned}) == len(cleaned) > 240

    expected = applied(cleaned, TOGETHER, store)
    write(expected, str(tmp_path / "expected.parquet"), loaded.source)
    processed = store.put_records(applied(store.get_records(gathered.dataset), TOGETHER, store))
    write_out(runs, processed, gathered, tmp_path)
    assert read_files(tmp_path / "out") == pq.read_table(tmp_path / "expected.parquet").to_pylist()
    assert 20 < len(expected) < 120


def test_a_copy_dropped_in_one_file_counts_for_the_ids_of_the_next(tmp_path: Path, store: Store) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "same", "question": "What helps?", "answer": "x", "n": 0},  # too short
        {
            "id": "other",
            "question": "What helps against colds?",
            "answer": "Rest and a lot of tea, they say.",
            "n": 1,
        },
        {
            "id": "same",
            "question": "What helps against coughs?",
            "answer": "Honey in warm milk, they say.",
            "n": 2,
        },
    ]
    for k in (0, 2):
        (tmp_path / "in").mkdir(exist_ok=True)
        write_whole(tmp_path / "in" / f"part-{k}.parquet", rows[k : k + 2])
    runs = kept(tmp_path, [build("length_bounds", {"min_tokens": 6}).spec])
    gathered = put_together(runs, store)
    assert [r.id for r in store.get_records(gathered.dataset)] == ["other", "same-2"]
    write_out(runs, gathered.dataset, gathered, tmp_path)
    assert [(r["id"], r["n"]) for r in read_files(tmp_path / "out")] == [("other", 1), ("same", 2)]


def test_new_records_and_columns_are_in_the_last_file_and_in_every_schema(tmp_path: Path, store: Store) -> None:
    write_files(tmp_path / "in", ROWS[1:16], 3)
    runs = kept(tmp_path, [])
    gathered = put_together(runs, store)
    made = Record("made", (Message("user", "q?"), Message("assistant", "a.")), {"generated_by": "new_pairs"})
    records = [*store.get_records(gathered.dataset), made]
    write_out(runs, store.put_records(records), gathered, tmp_path)
    tables = [pq.read_table(f) for f in sorted((tmp_path / "out").glob("*.parquet"))]
    assert all("generated_by" in t.column_names and t.schema.equals(tables[0].schema) for t in tables)
    assert [t.column("generated_by").to_pylist()[-1:] for t in tables] == [[], [None], ["new_pairs"]]


def test_another_order_is_refused(tmp_path: Path, store: Store) -> None:
    write_files(tmp_path / "in", ROWS[1:16], 3)
    runs = kept(tmp_path, [])
    gathered = put_together(runs, store)
    turned = store.put_records(store.get_records(gathered.dataset)[::-1])
    with pytest.raises(DataError, match="changes the order of the records"):
        write_out(runs, turned, gathered, tmp_path)


def test_kept_records_are_found_again_while_they_are_whole(tmp_path: Path, store: Store) -> None:
    write_files(tmp_path / "in", ROWS[:40], 3)
    first = kept(tmp_path, ALONE[:1])
    assert [r.reused for r in kept(tmp_path, ALONE[:1])] == [True] * 3
    assert first[2].kept is not None
    Path(store.path(first[2].kept.dataset.sha256)).unlink()
    again = kept(tmp_path, ALONE[:1])
    assert [r.reused for r in again] == [True, True, False]
    assert [r.kept for r in again] == [r.kept for r in first]
