"""The streaming reader agrees with the standard parser, wherever its buffer happens to end."""

from __future__ import annotations

import io
import json
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.data import json_stream
from operators.data.json_stream import JsonRows
from operators.errors import DataError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def parse(text: str, chunk: int = 1 << 20, limit: int = 1000) -> tuple[list[Any], JsonRows]:
    with patch.object(json_stream, "_CHUNK", chunk):
        rows = JsonRows(io.StringIO(text), "x.json", limit)
        return [value for value, _ in rows], rows


@given(st.lists(VALUES, max_size=6), st.integers(1, 7), st.sampled_from([None, 2]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_arrays_of_anything(values: list[Any], chunk: int, indent: int | None, ascii: bool) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=ascii)
    assert parse(f" {text}\n", chunk)[0] == values


@given(st.lists(VALUES, max_size=4), st.dictionaries(st.text(max_size=4), st.integers() | st.text(), max_size=3))
@settings(max_examples=60, deadline=None)
def test_objects_with_one_list(values: list[Any], rest: dict[str, Any]) -> None:
    rest.pop("rows", None)
    found, rows = parse(json.dumps({**rest, "rows": values}), 3)
    assert (found, rows.list_key, rows.envelope) == (values, "rows", rest)


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.integers(), max_size=2), min_size=1, max_size=3),
    st.data(),
)
@settings(max_examples=80, deadline=None)
def test_every_cut_document_is_refused(values: list[Any], data: st.DataObject) -> None:
    text = json.dumps(values)
    with pytest.raises(DataError):
        parse(text[: data.draw(st.integers(0, len(text) - 1))], 4)


@pytest.mark.parametrize(
    "text", ["[1,]", "[1 2]", "[1] 2", "[1}", '{"a" [1]}', "{1: [1]}", "[" * 100_000, "[nope]"]
)
def test_broken_documents_are_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"x\.json: "):
        parse(text, limit=1_000_000)


def test_a_value_beyond_the_limit_is_refused_before_it_is_read_whole() -> None:
    stream = io.StringIO('["' + "x" * 100_000 + '"]')
    with patch.object(json_stream, "_CHUNK", 100), pytest.raises(DataError, match="too long"):
        list(JsonRows(stream, "x.json", 1000))
    assert stream.tell() < 5000
