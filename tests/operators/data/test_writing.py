"""What a writer does besides giving rows back: new columns, types, all or nothing."""

from __future__ import annotations

import csv
import datetime as dt
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from operators.data.containers import failures_named
from operators.data.loading import Loaded, load
from operators.data.records import Message, Record
from operators.data.writers import refuse_other_kind, refuse_overwriting, write
from operators.errors import ConfigError, DataError, Unreachable

MOMENT = dt.datetime(2024, 5, 1, 12, 30)
NEW = Record("new-1", (Message("user", "q"), Message("assistant", "a")), {"generated_by": "new_pairs"})


def parquet(path: Path, table: pa.Table) -> Loaded:
    pq.write_table(table, path)
    return load(str(path))


def test_generated_records_add_one_field_to_json_lines(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"id": 1, "question": "q", "answer": "a", "topic": "t"}\n')
    loaded = load(str(tmp_path / "x.jsonl"))
    write([*loaded.records, NEW], str(tmp_path / "out.jsonl"), loaded.source)
    assert [json.loads(x) for x in (tmp_path / "out.jsonl").read_text().splitlines()] == [
        {"id": 1, "question": "q", "answer": "a", "topic": "t"},
        {"id": None, "question": "q", "answer": "a", "generated_by": "new_pairs"},
    ]


def test_generated_records_add_one_column_to_csv(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("id,question,answer,topic\n1,q,a,t\n")
    loaded = load(str(tmp_path / "x.csv"))
    write(loaded.records, str(tmp_path / "same.csv"), loaded.source)
    assert (tmp_path / "same.csv").read_text() == (tmp_path / "x.csv").read_text()
    write([*loaded.records, NEW], str(tmp_path / "out.csv"), loaded.source)
    with (tmp_path / "out.csv").open() as f:
        assert list(csv.reader(f)) == [
            ["id", "question", "answer", "topic", "generated_by"],
            ["1", "q", "a", "t", ""],
            ["new-1", "q", "a", "", "new_pairs"],
        ]


def test_generated_records_add_one_column_to_parquet(tmp_path: Path) -> None:
    table = pa.table({"id": pa.array([1], pa.int32()), "question": ["q"], "answer": pa.nulls(1)})
    loaded = parquet(tmp_path / "x.parquet", table)
    filled = loaded.records[0].with_answer("filled in")
    write([filled, NEW], str(tmp_path / "out.parquet"), loaded.source)
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == [
        {"id": 1, "question": "q", "answer": "filled in", "generated_by": None},
        {"id": None, "question": "q", "answer": "a", "generated_by": "new_pairs"},
    ]


def test_generated_records_in_a_saved_dataset(tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, load_from_disk

    rows = [{"question": "q", "answer": "a", "label": 1}]
    Dataset.from_list(rows).cast_column("label", ClassLabel(names=["x", "y"])).save_to_disk(tmp_path / "in")
    loaded = load(str(tmp_path / "in"))
    write([*loaded.records, NEW], str(tmp_path / "out"), loaded.source)
    written = load_from_disk(tmp_path / "out")
    assert written.to_list()[1] == {
        "question": "q",
        "answer": "a",
        "label": None,
        "generated_by": "new_pairs",
    }
    assert isinstance(written.features["label"], ClassLabel)


def test_parquet_types_survive_the_json_form_in_between(tmp_path: Path) -> None:
    when = dt.datetime(2024, 2, 29, 12, 30, 1, 5)
    columns = {
        "question": pa.array(["q"], pa.large_string()),
        "answer": pa.array(["a"]).dictionary_encode(),
        "day": pa.array([dt.date(2024, 2, 29)]),
        "at": pa.array([when], pa.timestamp("us", "Europe/Berlin")),
        "nanoseconds": pa.array([1_700_000_000_123_456_789]).cast(pa.timestamp("ns")),
        "hour": pa.array([when.time()]),
        "took": pa.array([dt.timedelta(seconds=3)]),
        "price": pa.array([Decimal("12.30")], pa.decimal128(9, 2)),
        "single": pa.array([0.1], pa.float32()),
        "half": pa.array([0.5]).cast(pa.float16()),
        "blob": pa.array([b"\x00\xff"]),
        "tags": pa.array([[("k", b"\x01")]], pa.map_(pa.string(), pa.binary())),
        "nested": pa.array([[{"on": dt.date(2024, 1, 1), "raw": b"\xfe", "none": None}]]),
        "pair": pa.array([[1, 2]], pa.list_(pa.int8(), 2)),
    }
    table = pa.table(columns).replace_schema_metadata({"note": "kept"})
    loaded = parquet(tmp_path / "x.parquet", table)
    before = pq.read_table(tmp_path / "x.parquet")
    restored = [Record.from_json(r.to_json()) for r in loaded.records]
    write(restored, str(tmp_path / "out.parquet"), loaded.source)
    after = pq.read_table(tmp_path / "out.parquet")
    assert after.equals(before)
    assert after.schema.metadata[b"note"] == b"kept"


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.struct([("at", pa.timestamp("us")), ("n", pa.int8())]), [{"at": MOMENT, "n": 1}, None]),
        (pa.struct([pa.field("at", pa.timestamp("us"), nullable=False)]), [{"at": MOMENT}, None]),
        (pa.struct([("in", pa.struct([("at", pa.date32()), ("b", pa.binary())]))]), [{"in": None}, None]),
        (pa.list_(pa.struct([("at", pa.timestamp("us"))])), [[{"at": MOMENT}, None], None]),
        (pa.large_list(pa.list_(pa.date32())), [[[MOMENT.date()], None], None]),
        (pa.list_(pa.time64("us"), 2), [[MOMENT.time(), None], None]),
        (pa.list_(pa.timestamp("us"), 2), [[MOMENT, None], None]),
        (
            pa.map_(pa.string(), pa.struct([("n", pa.decimal128(5, 2))])),
            [[("a", None), ("b", {"n": Decimal("1.25")})], None],
        ),
    ],
    ids=str,
)
def test_nulls_around_other_types_survive(kind: pa.DataType, values: list[Any], tmp_path: Path) -> None:
    table = pa.table({"question": ["q"] * 2, "answer": ["a"] * 2, "x": pa.array(values, kind)})
    loaded = parquet(tmp_path / "x.parquet", table)
    before = pq.read_table(tmp_path / "x.parquet")
    write(loaded.records, str(tmp_path / "out.parquet"), loaded.source)
    after = pq.read_table(tmp_path / "out.parquet")
    assert after.schema == before.schema
    assert after.to_pylist() == before.to_pylist()


def test_marks_of_operators_fit_a_column_that_was_empty_or_came_from_a_csv(tmp_path: Path) -> None:
    columns = {"generated_by": pa.nulls(1), "rewritten_by": ['["one"]']}
    loaded = parquet(tmp_path / "x.parquet", pa.table({"question": ["q"], "answer": ["a"], **columns}))
    rewritten = replace(loaded.records[0], meta={**loaded.records[0].meta, "rewritten_by": ["one", "two"]})
    write([rewritten, NEW], str(tmp_path / "out.parquet"), loaded.source)
    written = pq.read_table(tmp_path / "out.parquet").to_pydict()
    assert written["generated_by"] == [None, "new_pairs"]
    assert written["rewritten_by"] == ['["one", "two"]', None]


def test_the_type_that_a_value_does_not_fit_is_named(tmp_path: Path) -> None:
    kind = pa.struct([("at", pa.timestamp("us"))])
    table = pa.table({"question": ["q"], "answer": ["a"], "x": pa.array([{"at": MOMENT}], kind)})
    loaded = parquet(tmp_path / "x.parquet", table)
    (record,) = loaded.records
    with pytest.raises(DataError, match=r"'x' now holds values that do not fit its type struct<at: timestamp"):
        write([replace(record, meta={"x": {"at": "noon"}})], str(tmp_path / "out.parquet"), loaded.source)


def test_a_value_that_no_longer_fits_is_named_by_column_only(tmp_path: Path) -> None:
    loaded = parquet(tmp_path / "x.parquet", pa.table({"question": ["q"], "answer": ["a"], "n": [1]}))
    loaded.records[0].meta["n"] = "secret text"
    target = tmp_path / "out.parquet"
    target.write_bytes(b"what was there")
    with pytest.raises(DataError, match="column 'n'") as error:
        write(loaded.records, str(target), loaded.source)
    assert "secret" not in str(error.value)
    assert target.read_bytes() == b"what was there"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.parquet", "x.parquet"]


def test_a_directory_that_is_no_data_set_is_never_replaced(tmp_path: Path) -> None:
    from datasets import Dataset

    Dataset.from_list([{"question": "q", "answer": "a"}]).save_to_disk(tmp_path / "in")
    loaded = load(str(tmp_path / "in"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter").write_text("keep me")
    with pytest.raises(DataError, match="something else is there"):
        write(loaded.records, str(tmp_path / "home"), loaded.source)
    assert (tmp_path / "home" / "letter").read_text() == "keep me"


def test_gzip_output_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    import gzip

    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(b'{"question": "q", "answer": "a"}\n'))
    loaded = load(str(tmp_path / "x.jsonl.gz"))
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        write(loaded.records, str(tmp_path / name), loaded.source)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


def test_a_cut_emoji_in_another_column_is_written_as_it_was(tmp_path: Path) -> None:
    line = '{"question": "q", "answer": "a", "note": "\\ud83d"}\n'
    (tmp_path / "x.jsonl").write_text(line)
    loaded = load(str(tmp_path / "x.jsonl"))
    write(loaded.records, str(tmp_path / "out.jsonl"), loaded.source)
    assert (tmp_path / "out.jsonl").read_text() == line


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "parquet"])
def test_no_records_make_an_empty_file_of_the_kind(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{kind}"
    match kind:
        case "parquet":
            pq.write_table(pa.table({"question": ["q"], "answer": ["a"]}), path)
        case "csv":
            path.write_text("question,answer\nq,a\n")
        case _:
            path.write_text(json.dumps([{"question": "q", "answer": "a"}]).strip("[]" if kind == "jsonl" else ""))
    source = load(str(path)).source
    write([], str(tmp_path / f"out.{kind}"), source)
    with pytest.raises(DataError, match=r"empty|no rows"):
        load(str(tmp_path / f"out.{kind}"))


@pytest.mark.parametrize(
    ("source", "output", "ending"),
    [
        ("i.jsonl.gz", "o.jsonl", ".jsonl.gz"),
        ("i.jsonl", "o.jsonl.gz", ".jsonl"),
        ("i.jsonl", "o.csv", ".jsonl"),
        ("i.csv", "o.tsv", ".csv"),
        ("a.b/i.parquet", "o.json", ".parquet"),
        ("i.json", "o", ".json"),
        ("i.json", "o.txt", ".json"),
    ],
)
def test_a_name_that_promises_another_kind_of_file_is_refused(source: str, output: str, ending: str) -> None:
    with pytest.raises(ConfigError, match=rf"{output}: .* {source}; choose a name that ends in {ending}$"):
        refuse_other_kind(output, source)


def test_a_name_of_the_same_kind_is_fine(tmp_path: Path) -> None:
    for output, source in (("o.ndjson", "i.jsonl"), ("s3.b/O.JSONL.gz", "a.jsonl.gz"), ("o.pq", "i.parquet")):
        refuse_other_kind(output, source)
    with pytest.raises(
        ConfigError, match=r"datasets\.save_to_disk did not write this directory; .* set scale_out"
    ):
        refuse_other_kind(str(tmp_path / "o.v2"), str(tmp_path))
    (tmp_path / "state.json").write_text("{}")
    refuse_other_kind(str(tmp_path / "o.v2"), str(tmp_path))
    with pytest.raises(ConfigError, match="is a directory; choose a name without a suffix"):
        refuse_other_kind(str(tmp_path / "o.jsonl"), str(tmp_path))
    with pytest.raises(DataError, match=r"i\.txt: cannot tell the kind of file"):
        refuse_other_kind("o.txt", "i.txt")


def test_the_input_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "i.jsonl").write_text("{}")
    (tmp_path / "link.jsonl").symlink_to("i.jsonl")
    source = str(tmp_path / "i.jsonl")
    for output in (source, f"{tmp_path}/./i.jsonl", f"{tmp_path}/x/../i.jsonl", str(tmp_path / "link.jsonl")):
        with pytest.raises(ConfigError, match=r"would be overwritten; choose another place"):
            refuse_overwriting(output, source)
    with pytest.raises(ConfigError, match=r"o\.jsonl\.quarantine\.jsonl is the input"):
        refuse_overwriting("o.jsonl", "./o.jsonl.quarantine.jsonl")
    with pytest.raises(ConfigError, match="would be overwritten"):
        refuse_overwriting(f"{tmp_path}/", str(tmp_path))
    refuse_overwriting(str(tmp_path / "o.jsonl"), source)
    refuse_overwriting(str(tmp_path / "i.jsonl.quarantine.jsonl"), source)


def test_missing_rights_may_be_given_later() -> None:
    told = pytest.raises(Unreachable, match=r"s3://b/x: cannot be written \(PermissionError\)")
    with told, failures_named("s3://b/x", "written"):
        raise PermissionError("Access Denied")  # as of S3, without a number of the operating system's
