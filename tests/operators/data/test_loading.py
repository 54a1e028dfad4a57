"""Detection of schemas, and what becomes of bad rows and bad files."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from operators.data.containers import Container
from operators.data.loading import SAMPLE, describe, load, quarantine_lines, write_quarantine
from operators.data.table_readers import ParquetReader
from operators.data.writers import write
from operators.errors import DataError

GOOD = {"question": "what?", "answer": "that"}
SECRET = "Jane-has-a-secret-disease"


def lines(path: Path, *rows: Any) -> str:
    """Writes JSON lines; a bytes or str row is written as it is."""
    raw = (r if isinstance(r, bytes) else (r if isinstance(r, str) else json.dumps(r)).encode() for r in rows)
    path.write_bytes(b"".join(r + b"\n" for r in raw))
    return str(path)


@pytest.mark.parametrize(
    ("row", "format"),
    [
        ({"instruction": "what?", "input": "", "output": "that"}, "alpaca"),
        ({"instruction": "what?", "context": "", "response": "that"}, "alpaca"),
        ({"prompt": "what?", "completion": "that"}, "prompt_completion"),
        ({"prompt": "what?", "response": "that"}, "prompt_completion"),
        ({"question": "what?", "answer": "that"}, "question_answer"),
        ({"Question": "what?", "Answer": "that"}, "question_answer"),
        ({"query": "what?", "response": "that"}, "question_answer"),
        ({"input": "what?", "output": "that"}, "question_answer"),
        ({"system_prompt": "be brief", "question": "what?", "response": "that"}, "question_answer"),
        (
            {"conversations": [{"from": "human", "value": "what?"}, {"from": "gpt", "value": "that"}]},
            "sharegpt",
        ),
        (
            {"messages": [{"role": "user", "content": "what?"}, {"role": "assistant", "content": "that"}]},
            "messages",
        ),
        (
            {
                "conversations": [
                    {"role": "user", "content": "what?"},
                    {"role": "assistant", "content": "that"},
                ]
            },
            "messages",
        ),
        (
            {
                "prompt": "other",
                "messages": [
                    {"role": "developer", "content": "be brief"},
                    {"role": "user", "content": [{"type": "text", "text": "what?"}]},
                    {"role": "assistant", "content": "that"},
                ],
            },
            "messages",
        ),
    ],
)
def test_schemas_are_told_from_the_rows(row: dict[str, Any], format: str, tmp_path: Path) -> None:
    loaded = load(lines(tmp_path / "x.jsonl", row, row))
    assert loaded.source.format == format
    assert [(r.question, r.answer) for r in loaded.records] == [("what?", "that")] * 2
    system = [m.content for m in loaded.records[0].messages if m.role == "system"]
    assert system == (["be brief"] if "be brief" in json.dumps(row) else [])


def test_other_columns_go_to_meta_and_ids_are_kept(tmp_path: Path) -> None:
    loaded = load(lines(tmp_path / "x.jsonl", {"id": "a", "n": {"deep": [1, None]}, **GOOD, "source": "s"}))
    (record,) = loaded.records
    assert (record.id, record.meta) == ("a", {"n": {"deep": [1, None]}, "source": "s"})
    assert loaded.source.columns == ("id", "n", "question", "answer", "source")


def test_a_record_that_is_refused_stops_the_file_and_its_row_is_named(tmp_path: Path) -> None:
    uri = lines(tmp_path / "a.jsonl", GOOD, "not json", "", GOOD | {"answer": SECRET})
    with pytest.raises(DataError, match=r"a\.jsonl: row 4: no secrets") as error:
        load(uri, refuse=lambda record: "no secrets" if record.answer == SECRET else None)
    assert SECRET not in str(error.value)
    assert len(load(uri, refuse=lambda _: None).records) == 2


def test_columns_can_be_mapped(tmp_path: Path) -> None:
    path = lines(tmp_path / "x.jsonl", {"uid": 7, "frage": "what?", "antwort": "that", "bad": 1})
    mapping = {"question": "frage", "answer": "antwort", "id": "uid", "label": "bad"}
    loaded = load(path, columns=mapping)
    (record,) = loaded.records
    assert (record.id, record.question, record.answer) == ("7", "what?", "that")
    assert record.meta["bad"] == 1


@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
@pytest.mark.parametrize(
    "late",
    [
        {"input": "A.", "system_prompt": "be brief", "ID": 7, "other": {"x": 1}},
        {"input": "", "system_prompt": None, "ID": "row-000001"},
        {"context": "A."},
    ],
)
def test_a_field_may_first_appear_after_the_rows_that_tell_the_schema(
    late: dict[str, Any], suffix: str, tmp_path: Path
) -> None:
    row = {"instruction": "what?", "output": "that"}
    rows = [*[row] * SAMPLE, {**row, **late}, row, {**row, **dict.fromkeys(late, "b")}]
    path, out = tmp_path / f"x{suffix}", tmp_path / f"out{suffix}"
    path.write_text(json.dumps(rows) if suffix == ".json" else "".join(json.dumps(r) + "\n" for r in rows))
    loaded = load(str(path))
    first, _, last = loaded.records[SAMPLE:]
    has_input = bool(late.get("input", late.get("context")))
    assert first.question == ("what?\n\nA." if has_input else "what?")
    assert last.question == "what?\n\nb"
    assert [m.content for m in first.messages if m.role == "system"] == (["be brief"] if len(late) == 4 else [])
    assert [(r.id, r.meta) for r in loaded.records[:2]] == [("row-000001", {}), ("row-000002", {})]
    assert last.id == ("b" if "ID" in late else "row-000103")
    write(loaded.records, str(out), loaded.source)
    text = out.read_text()
    assert (json.loads(text) if suffix == ".json" else [json.loads(x) for x in text.splitlines()]) == rows


def test_a_mapped_column_may_first_appear_later_but_has_to_appear(tmp_path: Path) -> None:
    row = {"instruction": "what?", "output": "that", "input": "another"}
    path = lines(tmp_path / "x.jsonl", *[row] * SAMPLE, {**row, "passage": "A."})
    loaded = load(path, columns={"input": "passage"})
    assert [r.question for r in loaded.records[-2:]] == ["what?", "what?\n\nA."]
    assert loaded.records[-1].meta["input"] == "another"
    with pytest.raises(DataError, match=r"x\.jsonl: the mapping `columns:` names 'pasage', which no row has"):
        load(path, columns={"input": "pasage"})


@pytest.mark.parametrize("late", [0, SAMPLE])
def test_a_system_prompt_may_stand_beside_the_turns(late: int, tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "what?"}, {"from": "gpt", "value": "that"}]
    own = [{"from": "system", "value": "be kind"}, *turns]
    rows = [
        *[{"conversations": own}] * late,
        {"conversations": turns, "system": "be brief"},
        {"conversations": own, "system": "be brief"},
        {"conversations": own},
        {"conversations": turns, "system": ""},
    ]
    loaded = load(lines(tmp_path / "x.jsonl", *rows))
    system = [[m.content for m in r.messages if m.role == "system"] for r in loaded.records[late:]]
    assert system == [["be brief"], ["be kind"], ["be kind"], []]
    assert loaded.records[late].messages[0].role == "system"
    out = tmp_path / "out.jsonl"
    write(loaded.records, str(out), loaded.source)
    assert [json.loads(x) for x in out.read_text().splitlines()] == rows
    first = loaded.records[late]
    changed = first.with_contents(["be short", "what?", "this"])
    write([changed, replace(first, messages=first.messages[1:])], str(out), loaded.source)
    written = [json.loads(x) for x in out.read_text().splitlines()]
    assert written[0]["system"] == "be short"
    assert written[0]["conversations"][1] == {"from": "gpt", "value": "this"}
    assert written[1]["conversations"] == turns
    assert not written[1].get("system")


def test_turn_keys_can_be_mapped(tmp_path: Path) -> None:
    turns = [{"speaker": "user", "said": "what?"}, {"speaker": "bot", "said": "that"}]
    mapping = {"messages": "talk", "role": "speaker", "content": "said"}
    (record,) = load(lines(tmp_path / "x.jsonl", {"talk": turns}), columns=mapping).records
    assert [m.role for m in record.messages] == ["user", "assistant"]


def test_a_column_named_like_a_key_of_its_turns_is_not_kept_twice(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
    path = lines(tmp_path / "x.jsonl", {"content": turns, "topic": "x"})
    (record,) = load(path, columns={"messages": "content"}).records
    assert record.meta == {"topic": "x"}


def test_alpaca_input_follows_the_instruction_and_comes_apart_again(tmp_path: Path) -> None:
    row = {"instruction": "Sum up.", "input": "A.\n\nB.", "output": "AB"}
    loaded = load(lines(tmp_path / "x.jsonl", row))
    (record,) = loaded.records
    assert record.question == "Sum up.\n\nA.\n\nB."
    out = tmp_path / "out.jsonl"
    write([record.with_question("Sum it up.\n\nA!\n\nB!").with_answer("A, B")], str(out), loaded.source)
    assert json.loads(out.read_text()) == {"instruction": "Sum it up.", "input": "A!\n\nB!", "output": "A, B"}
    write([record.with_question("All in one.")], str(out), loaded.source)
    assert json.loads(out.read_text()) == {"instruction": "All in one.", "input": "", "output": "AB"}


@pytest.mark.parametrize("missing", ["", None, "absent"])
@pytest.mark.parametrize("column", ["question", "answer"])
def test_one_missing_side_is_an_empty_turn_that_can_be_filled(missing: Any, column: str, tmp_path: Path) -> None:
    row = {**GOOD, column: missing}
    if missing == "absent":
        del row[column]
    loaded = load(lines(tmp_path / "x.jsonl", GOOD, row))
    record = loaded.records[1]
    assert loaded.quarantined == []
    assert getattr(record, column) == ""
    filled = record.with_question("new") if column == "question" else record.with_answer("new")
    write([filled], str(tmp_path / "out.jsonl"), loaded.source)
    assert json.loads((tmp_path / "out.jsonl").read_text()) == {**GOOD, column: "new"}


@pytest.mark.parametrize("kept", ["user", "assistant"])
def test_a_missing_turn_is_an_empty_turn_that_can_be_filled(kept: str, tmp_path: Path) -> None:
    whole = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a"},
    ]
    partial = [turn for turn in whole if turn["role"] in ("system", kept)]
    loaded = load(lines(tmp_path / "x.jsonl", {"messages": whole}, {"messages": partial}))
    record = loaded.records[1]
    assert [m.role for m in record.messages] == ["system", "user", "assistant"]
    filled = record.with_answer("a") if kept == "user" else record.with_question("q")
    write([record, filled], str(tmp_path / "out.jsonl"), loaded.source)
    assert [json.loads(x)["messages"] for x in (tmp_path / "out.jsonl").read_text().splitlines()] == [
        partial,
        whole,
    ]


def test_bad_rows_are_quarantined_with_number_and_reason(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "x.jsonl",
        GOOD,
        '{"question": "' + SECRET,
        b'{"question": "\xff", "answer": "b"}',
        "",
        {"question": 5, "answer": SECRET},
        {"question": "", "answer": " "},
        {"question": SECRET, "answer": "x" * 500},
        [SECRET],
        '{"question": "\\ud83d", "answer": "b"}',
        "[" * 100_000,
        GOOD,
    )
    loaded = load(path, max_characters=400, max_bad_share=0.9)
    assert [r.id for r in loaded.records] == ["row-000001", "row-000011"]
    assert {q.row: q.reason for q in loaded.quarantined} == {
        2: "not valid JSON at character 40",
        3: "not valid UTF-8",
        5: "the question holds a number; expected text",
        6: "question and answer are both empty",
        7: "the record has 525 characters, more than the limit of 400",
        8: "expected an object with columns, found a list",
        9: "the text holds half of a surrogate pair (a cut emoji)",
        10: "the line is longer than 71,936 bytes",
    }
    assert loaded.rows == 10
    assert SECRET not in repr(loaded)
    assert SECRET not in loaded.source.model_dump_json()

    write_quarantine(loaded, str(tmp_path / "deep" / "quarantine.jsonl"))
    written = [json.loads(x) for x in (tmp_path / "deep" / "quarantine.jsonl").read_text().splitlines()]
    assert written[0] == {
        "row": 2,
        "reason": "not valid JSON at character 40",
        "raw": '{"question": "' + SECRET,
    }
    assert base64.b64decode(written[1]["raw_base64"]) == b'{"question": "\xff", "answer": "b"}\n'


def test_deep_nesting_is_a_bad_row(tmp_path: Path) -> None:
    loaded = load(lines(tmp_path / "x.jsonl", GOOD, "[" * 200_000))
    assert [(q.row, q.reason) for q in loaded.quarantined] == [(2, "the JSON is nested too deeply")]


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ("text", "the turns are a text; expected a list"),
        ([], "question and answer are both empty"),
        (["a"], "turn 1 is a text; expected an object"),
        ([{"role": "tool", "content": "a"}], "turn 1 has a role other than system, user or assistant"),
        ([{"role": "user", "content": 1}], "turn 1 holds a number; expected text"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}],
            "turn 1 has a part that is not text",
        ),
    ],
)
def test_bad_turns(turns: Any, reason: str, tmp_path: Path) -> None:
    good = {"messages": [{"role": "user", "content": "q"}]}
    loaded = load(lines(tmp_path / "x.jsonl", good, {"messages": turns}))
    assert [(q.row, q.reason) for q in loaded.quarantined] == [(2, reason)]


def test_bad_csv_rows_do_not_swallow_their_neighbours(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(
        b"\xef\xbb\xbfquestion;answer\r\n"
        b'"two\nlines";"a ""quoted"" word"\r\n'
        b'"never closed;b\r\n'
        b"good;c\r\n"
        b"one;two;three\r\n"
        b"\xff;d\r\n"
        b";\r\n"
        b"only a question;\r\n"
    )
    loaded = load(str(path), max_bad_share=0.9)
    assert [(r.id, r.question, r.answer) for r in loaded.records] == [
        ("row-000001", "two\nlines", 'a "quoted" word'),
        ("row-000003", "good", "c"),
        ("row-000007", "only a question", ""),
    ]
    assert {q.row: q.reason for q in loaded.quarantined} == {
        2: "a quote is not closed, or not doubled",
        4: "3 cells where the header has 2 (a delimiter outside quotes?)",
        5: "not valid UTF-8",
        6: "question and answer are both empty",
    }
    write(loaded.records, str(tmp_path / "out.csv"), loaded.source)
    assert (tmp_path / "out.csv").read_bytes() == (
        b'\xef\xbb\xbfquestion;answer\r\n"two\nlines";"a ""quoted"" word"\r\ngood;c\r\nonly a question;\r\n'
    )


def test_a_carriage_return_outside_quotes_is_called_that(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b'question,answer\na,b\rc\nd,e\n"f\rg",h\n')
    loaded = load(str(path))
    assert [r.question for r in loaded.records] == ["d", "f\rg"]
    assert [(q.row, q.reason) for q in loaded.quarantined] == [(1, "a carriage return outside quotes")]


@pytest.mark.parametrize("suffix", [".tsv", ".tsv.gz"])
def test_tabs_part_the_cells_of_a_tsv_file(suffix: str, tmp_path: Path) -> None:
    raw = b"question\tanswer\tnotes (who, when, why, how)\nq, r\ta\tn\n"
    path = tmp_path / f"x{suffix}"
    path.write_bytes(gzip.compress(raw) if suffix.endswith("gz") else raw)
    (record,) = load(str(path)).records
    assert (record.question, record.answer) == ("q, r", "a")


def test_commas_do_where_a_tsv_file_has_no_tabs(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text("question,answer\nq,a\n")
    assert load(str(tmp_path / "x.tsv")).records[0].answer == "a"


def test_of_several_files_the_broken_one_is_named(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name in "ab":
        pq.write_table(pa.table({"question": ["q"], "answer": ["a"]}), tmp_path / f"{name}.parquet")
    uris = [str(tmp_path / f"{name}.parquet") for name in "abc"]
    Path(uris[1]).write_bytes(Path(uris[1]).read_bytes()[:-9])
    for broken in (uris[:2], [uris[0], uris[2]]):
        with pytest.raises(DataError) as error:
            describe(broken)
        assert str(error.value).startswith(f"{broken[1]}: ")


@pytest.mark.parametrize("content", [f"{{{SECRET}", "[]", '{"_data_files": 1}'])
def test_a_saved_data_set_with_a_damaged_state_is_named(content: str, tmp_path: Path) -> None:
    from datasets import Dataset

    Dataset.from_list([GOOD]).save_to_disk(tmp_path / "set")
    (tmp_path / "set" / "state.json").write_text(content)
    with pytest.raises(DataError, match=r"set: its JSON files .* are damaged .* save it again") as error:
        load(str(tmp_path / "set"))
    assert SECRET not in str(error.value)


def test_a_parquet_row_with_broken_text(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    raw = pa.array([b"good", b"\xff\xfe", b"good"])
    text = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    pq.write_table(pa.table({"question": text, "answer": ["a", "b", "c"]}), tmp_path / "x.parquet")
    loaded = load(str(tmp_path / "x.parquet"))
    assert [r.answer for r in loaded.records] == ["a", "c"]
    assert [(q.row, q.reason) for q in loaded.quarantined] == [(2, "not valid UTF-8")]
    raw_row = json.loads(json.loads(quarantine_lines(loaded))["raw"])
    assert raw_row == {"question": {"base64": base64.b64encode(b"\xff\xfe").decode()}, "answer": "b"}


def test_a_json_row_that_is_not_utf8_is_bad_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b'[{"question": "a", "answer": "b"}, {"question": "\xff"}, {"question": "c"}]')
    loaded = load(str(path))
    assert [r.id for r in loaded.records] == ["row-000001", "row-000003"]
    assert [(q.row, q.reason) for q in loaded.quarantined] == [(2, "not valid UTF-8")]


def test_json_lines_named_json(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(GOOD) + "\n" + json.dumps(GOOD) + "\n")
    loaded = load(str(path))
    assert (len(loaded.records), loaded.source.container.kind) == (2, "jsonl")


@pytest.mark.parametrize("ids", [["a", "a", "a-2", "a"], [1, 1, 2, 1]])
def test_equal_ids_are_made_unique_and_written_as_they_were(ids: list[Any], tmp_path: Path) -> None:
    rows = [{"id": i, **GOOD} for i in ids]
    loaded = load(lines(tmp_path / "x.jsonl", *rows))
    names = [r.id for r in loaded.records]
    assert len(set(names)) == 4
    assert names[:2] == [str(ids[0]), f"{ids[0]}-2"]
    write(loaded.records, str(tmp_path / "out.jsonl"), loaded.source)
    assert [json.loads(x) for x in (tmp_path / "out.jsonl").read_text().splitlines()] == rows


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.jsonl", b"", "the file is empty"),
        ("x.jsonl", b"\n\n", "the file holds no rows"),
        ("x.csv", b"question,answer\n", "the file holds no rows"),
        ("x.csv", b"question,answer,answer\na,b,c\n", "names a column twice"),
        ("x.txt", b"hello", "cannot tell the kind of file"),
        ("x.json", b'"hello"', "expected an array of rows"),
        ("x.json", b'{"a": 1}', "holds no list of rows"),
        ("x.json", b'{"a": [], "b": []}', "more than one list"),
        ("x.json", b'[{"question": "a"}, {"question": ', "not valid JSON at row 2"),
        ("x.json", b"[]", "the file holds no rows"),
        ("x.parquet", b"PAR1 but not really", "cannot be read"),
        ("x.jsonl.gz", b"not gzip", "cannot be read"),
        ("x.jsonl.gz", gzip.compress(b'{"question": "a", "answer": "b"}\n' * 99)[:-20], "cannot be read"),
        ("x.jsonl", "hello".encode("utf-16"), "UTF-16"),
        ("x.jsonl", b"{broken\n", "no row can be used"),
        ("x.jsonl", b'{"question": "", "answer": ""}\n', "no row can be used"),
        ("x.csv", b"Frage,L\xe4nge\na,b\n", "the header row is not valid UTF-8; save the file as UTF-8"),
        ("x.jsonl", b'{"foo": "a", "bar": "b"}\n' * 2, "no known schema among the columns 'foo', 'bar'"),
        ("x.jsonl", b'{"Maria": "a"}\n', "no known schema among the columns (1, not shown: they may be a record)"),
        ("x.jsonl", b'{"id": 1, "Maria": 1}\n{"id": 2, "Ada": 1}\n', "columns 'id' and 2 others, not shown"),
        ("x.csv", b"foo,id\r\na,b\r\n", "no known schema among the columns 'id' and 1 other, not shown"),
        ("x.csv", b"Maria Huber,question,HIV\na,b,c\n", "columns 'question' and 2 others, not shown"),
        ("x.csv", b"Maria Gonzalez,MRN-4711\r\na,b\r\n", "among the columns (2, not shown: without a header row"),
    ],
)
def test_a_file_that_cannot_be_used(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        load(str(path))
    assert message in str(error.value)
    assert str(path) in str(error.value)
    assert "Maria" not in str(error.value)


def test_a_missing_file_and_a_foreign_directory(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        load(str(tmp_path / "none.jsonl"))
    with pytest.raises(DataError, match=r"state\.json"):
        load(str(tmp_path))
    with pytest.raises(DataError, match="no file system"):
        load("nothing-like-this://x.jsonl")


def test_a_dictionary_of_saved_splits_names_them(tmp_path: Path) -> None:
    from datasets import Dataset, DatasetDict

    DatasetDict(train=Dataset.from_list([GOOD]), test=Dataset.from_list([GOOD])).save_to_disk(tmp_path / "x")
    with pytest.raises(DataError, match="several splits"):
        load(str(tmp_path / "x"))
    assert len(load(str(tmp_path / "x" / "train")).records) == 1


def test_messages_about_columns_say_how_to_map_them(tmp_path: Path) -> None:
    path = lines(tmp_path / "x.jsonl", *[{"foo": "a", "answer": "b"}] * 2)
    with pytest.raises(DataError, match=r"question_answer needs question.*'foo', 'answer'.*columns: \{question:"):
        load(path, format="question_answer")
    with pytest.raises(DataError, match=r"`columns:` names 'bar', which is not in the file"):
        load(path, columns={"question": "bar"})
    with pytest.raises(DataError, match=r"no format knows.*qestion"):
        load(path, columns={"qestion": "foo"})
    with pytest.raises(DataError, match="unknown format"):
        load(path, format="alpaka")


def test_a_csv_without_a_header_does_not_leak_its_first_row(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("My patient Jane Doe has a rare disease,what to do\n" * 3)
    with pytest.raises(DataError) as error:
        load(str(path))
    assert "Jane" not in str(error.value)


def test_too_many_bad_rows_stop_the_load_and_are_explained(tmp_path: Path) -> None:
    path = lines(tmp_path / "x.jsonl", GOOD, "{" + SECRET, "{" + SECRET)
    target = tmp_path / "quarantine.jsonl"
    with pytest.raises(DataError) as error:
        load(path, quarantine=str(target))
    assert "2 of 3 are bad (2 x not valid JSON at character 2, first in row 2)" in str(error.value)
    assert str(target) in str(error.value)
    assert SECRET not in str(error.value)
    assert [json.loads(x)["row"] for x in target.read_text().splitlines()] == [2, 3]
    assert len(load(path, max_bad_share=0.7).records) == 1


def test_large_rows_of_parquet_are_read_few_at_a_time(tmp_path: Path) -> None:
    answers = [f"{i} " + "word " * 200_000 for i in range(150)]
    pq.write_table(pa.table({"question": ["q"] * 150, "answer": answers}), tmp_path / "x.parquet")
    reader = ParquetReader(str(tmp_path / "x.parquet"), Container(kind="parquet"), 1 << 25)
    read = [table.num_rows for table in reader.tables()]
    assert (sum(read), max(read)) == (150, read[0])
    assert 30 < max(read) < 80
