"""What is loaded and written back is what was there: five schemas, five containers."""

from __future__ import annotations

import csv
import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.data.containers import output_name
from operators.data.loading import load
from operators.data.records import Record
from operators.data.store import Store
from operators.data.writers import write

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SOLID = st.builds(lambda a, b: f"{a}x{b}", TEXT, TEXT)
PAIRS = {
    "alpaca": ("instruction", "output"),
    "prompt_completion": ("prompt", "completion"),
    "question_answer": ("question", "answer"),
}
TURNS = {
    "messages": (
        "messages",
        "role",
        "content",
        {"user": "user", "assistant": "assistant", "system": "system"},
    ),
    "sharegpt": ("conversations", "from", "value", {"user": "human", "assistant": "gpt", "system": "system"}),
}
FORMATS = [*TURNS, *PAIRS]


@st.composite
def pair_rows(draw: st.DrawFn, format: str, *, ragged: bool) -> list[dict[str, Any]]:
    """Rows with at least a question; `ragged`: columns may be null or missing, as JSON allows."""
    question, answer = PAIRS[format]
    rows = []
    for i in range(draw(st.integers(1, 6))):
        row: dict[str, Any] = {
            "topic": draw(TEXT),
            "id": f"id-{i}",
            answer: draw(TEXT),
            question: draw(SOLID),
        }
        if format == "alpaca":
            row["input"] = draw(TEXT)
        if ragged and i:
            row["topic"] = draw(st.one_of(TEXT, st.none(), st.integers(), st.lists(st.booleans(), max_size=2)))
            for name in (answer, "input", "topic", "id"):
                match draw(st.integers(0, 5)), name in row:
                    case 0, True:
                        row[name] = None
                    case 1, True:
                        del row[name]
        rows.append(row)
    return rows


@st.composite
def turn_rows(draw: st.DrawFn, format: str, *, ragged: bool) -> list[dict[str, Any]]:
    """Conversations of one to four turns, some without a question or an answer, some with a system prompt in a
    column of its own."""
    column, role, content, names = TURNS[format]
    rows = []
    has_system = draw(st.booleans())
    for i in range(draw(st.integers(1, 6))):
        turns: list[dict[str, Any]] = [{role: names["user"], content: draw(SOLID)}]
        if draw(st.booleans()):
            turns.insert(0, {role: names["system"], content: draw(TEXT)})
        turns.append({role: names["assistant"], content: draw(SOLID)})
        if draw(st.booleans()):
            turns.append({role: names["user"], content: draw(TEXT)})
        if ragged and i:
            turn = draw(st.sampled_from(turns))
            match draw(st.integers(0, 5)):
                case 0:
                    turn["weight"] = 1
                case 1:
                    turn[content] = [
                        {"type": "text", "text": draw(SOLID)},
                        {"type": "text", "text": draw(TEXT)},
                    ]
                case 2 if turn is not turns[-1]:
                    turn[role] = {"human": "user", "gpt": "model", "user": "human"}.get(turn[role], turn[role])
                case 3 if len(turns) > 2:
                    turns.remove(turn)
                case 4 if len(turns) > 2:
                    turn[content] = None
        row = {"id": i * 7, column: turns, "topic": draw(TEXT)}
        if has_system:
            row["system"] = draw(TEXT)
            match draw(st.integers(0, 3)):
                case 0 if ragged and i:
                    row["system"] = None
                case 1 if ragged and i:
                    del row["system"]
        rows.append(row)
    return rows


def rows_of(format: str, *, ragged: bool) -> st.SearchStrategy[list[dict[str, Any]]]:
    return turn_rows(format, ragged=ragged) if format in TURNS else pair_rows(format, ragged=ragged)


def usable(rows: list[dict[str, Any]], format: str) -> list[dict[str, Any]]:
    """Rows with a question or an answer, told from the rows alone."""

    def is_blank(row: dict[str, Any]) -> bool:
        column, role, content, _ = TURNS[format]
        question = next((t for t in row[column] if t[role] in ("user", "human")), {content: ""})
        last = row[column][-1] if row[column] else {role: "", content: ""}
        answer = last if last[role] in ("assistant", "gpt", "model") else {content: ""}
        return not any(plain(t[content]).strip() for t in (question, answer))

    def plain(value: Any) -> str:
        return "\n".join(p["text"] for p in value) if isinstance(value, list) else value or ""

    return [r for r in rows if format in PAIRS or not is_blank(r)]


def through(path: Path, uri: Path, **options: Any) -> list[Record]:
    """Loads, passes the records through the store as tasks do, and writes them."""
    loaded = load(str(path), max_bad_share=1, **options)
    store = Store(str(uri.parent / "store"))
    records = store.get_records(store.put_records(loaded.records))
    write(records, str(uri), loaded.source)
    return records


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_json_rows_come_out_as_they_went_in(format: str, suffix: str, data: st.DataObject) -> None:
    rows = data.draw(rows_of(format, ragged=True))
    suffix += data.draw(st.sampled_from(["", ".gz"])) if suffix == ".jsonl" else ""
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "in" + suffix), Path(folder, "out" + suffix)
        if suffix == ".json":
            before.write_text(json.dumps({"version": "1", "data": rows}), encoding="utf-8")
        else:
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
            before.write_bytes(gzip.compress(text) if suffix.endswith(".gz") else text)
        through(before, after, format=format)
        if suffix == ".json":
            assert json.loads(after.read_bytes()) == {"version": "1", "data": usable(rows, format)}
        else:
            written = after.read_bytes()
            text = gzip.decompress(written) if suffix.endswith(".gz") else written
            assert [json.loads(line) for line in text.splitlines()] == usable(rows, format)


@pytest.mark.parametrize("format", FORMATS)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_csv_rows_come_out_as_they_went_in(format: str, data: st.DataObject) -> None:
    rows = data.draw(rows_of(format, ragged=False))
    as_ascii = data.draw(st.booleans())
    delimiter = data.draw(st.sampled_from(",;\t|"))
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "in.csv"), Path(folder, "out.csv")
        cells = [
            {k: v if isinstance(v, str) else json.dumps(v, ensure_ascii=as_ascii) for k, v in row.items()}
            for row in usable(rows, format)
        ]
        with before.open("w", encoding="utf-8", newline="") as f:
            writer = csv.DictWriter(f, list(rows[0]), delimiter=delimiter, quoting=csv.QUOTE_ALL)
            writer.writeheader()
            writer.writerows(cells)
        through(before, after, format=format)
        with after.open(encoding="utf-8", newline="") as f:
            assert list(csv.DictReader(f, delimiter=delimiter, strict=True)) == cells


@pytest.mark.parametrize("format", FORMATS)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_parquet_rows_come_out_as_they_went_in(format: str, data: st.DataObject) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = usable(data.draw(rows_of(format, ragged=False)), format)
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "in.parquet"), Path(folder, "out.parquet")
        table = pa.Table.from_pylist(rows)
        pq.write_table(table, before)
        through(before, after, format=format)
        assert pq.read_table(after).equals(table)


@pytest.mark.parametrize("format", FORMATS)
def test_a_saved_dataset_comes_out_as_it_went_in(format: str, tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, load_from_disk

    column, role, content, names = TURNS.get(format, ("", "", "", {}))
    conversation: dict[str, Any] = (
        {column: [{role: names["user"], content: "what?"}, {role: names["assistant"], content: "that"}]}
        if format in TURNS
        else dict.fromkeys(PAIRS[format], "words")
    )
    rows = [{"label": i % 2, **conversation, "id": str(i)} for i in range(5)]
    dataset = Dataset.from_list(rows).cast_column("label", ClassLabel(names=["bad", "good"]))
    dataset.save_to_disk(tmp_path / "in")
    records = through(tmp_path / "in", tmp_path / "out")
    through(tmp_path / "in", tmp_path / "out")  # replaces what it wrote before
    written = load_from_disk(tmp_path / "out")
    assert written.features == dataset.features
    assert written.to_list() == dataset.to_list()
    assert [r.id for r in records] == list("01234")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "out", "store"]


def test_the_project_s_own_rows(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    rows = [
        {"id": "a", "messages": turns, "meta": {"topic": "t"}},
        {"id": "b", "messages": turns, "meta": {}},
        {"id": "c", "messages": turns, "meta": {"generated_by": "new_pairs"}, "flagged": True},
        {"id": "d", "messages": turns},
    ]
    before = tmp_path / "in.jsonl"
    before.write_text("".join(json.dumps(r) + "\n" for r in rows))
    records = through(before, tmp_path / "out.jsonl")
    assert [json.loads(x) for x in (tmp_path / "out.jsonl").read_text().splitlines()] == rows
    assert records[0].meta == {"topic": "t"}
    assert [r.flagged for r in records] == [None, None, True, None]
    assert records[2].generated_by == "new_pairs"


def test_bytes_are_kept_where_the_file_was_written_in_the_usual_way(tmp_path: Path) -> None:
    before = tmp_path / "in.jsonl"
    before.write_text(
        '{"id": 7, "question": "Grüße?", "answer": "ja", "n": 1.5}\n{"id": 8, "question": "", "answer": "b"}\n'
    )
    through(before, tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_bytes() == before.read_bytes()


@pytest.mark.parametrize("as_text", [False, True])
def test_keys_stay_in_the_order_of_their_row(as_text: bool, tmp_path: Path) -> None:
    conversations = [
        [{"content": "q", "role": "user"}, {"content": "a", "role": "assistant"}],
        [{"content": "q", "role": "user"}, {"role": "assistant", "content": "b"}],
        [{"content": "q", "role": "user", "at": 1}, {"z": {"y": 1, "b": 2}, "content": "c", "role": "assistant"}],
        [{"content": [{"type": "text", "text": "q"}], "role": "user"}, {"content": "d", "role": "assistant"}],
    ]
    rows = [
        {"n": {"z": [{"y": 1, "b": None}], "a": 2}, "messages": json.dumps(c) if as_text else c, "a": 1}
        for c in conversations
    ]
    before = tmp_path / "in.jsonl"
    before.write_text("".join(json.dumps(row) + "\n" for row in rows))
    records = through(before, tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_bytes() == before.read_bytes()
    assert "__layout__" not in records[0].meta


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x.jsonl", "processed.jsonl"),
        ("x.ndjson.gz", "processed.ndjson.gz"),
        ("x.csv", "processed.csv"),
        ("x.parquet", "processed.parquet"),
    ],
)
def test_output_name_follows_the_input(name: str, expected: str) -> None:
    from operators.data.containers import container_of

    assert output_name(container_of(name)) == expected
