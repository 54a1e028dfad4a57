"""One field of a source row: its text, and the ways a source writes an empty one."""

from __future__ import annotations

import math
from typing import Any

from operators.data.schemas import Blank, SourceSchema

ABSENT: Any = object()
"""The value of a column that a row does not have."""


class BadRow(ValueError):
    """A row that cannot be a record. The message is the reason, without any of the row's text."""


def blank_of(value: Any) -> Blank | None:
    """How an empty value is written: null, NaN (as pandas writes a missing text), or an empty text. None where
    it is not empty."""
    if value is ABSENT:
        return "absent"
    if value is None:
        return "null"
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    return "text" if value == "" else None


def blank_in(row: dict[str, Any], column: str) -> Blank | None:
    """`blank_of` a column that may be missing from the row."""
    return blank_of(row.get(column, ABSENT))


def text_of(row: dict[str, Any], field: str, source: SourceSchema, layout: dict[str, Any]) -> str:
    """The text of a field, "" where it is empty; how it was empty is noted in `layout`, if not in the usual way.
    Raises BadRow where it is no text."""
    column = source.fields.get(field)
    if column is None:
        return ""
    value = row.get(column, ABSENT)
    blank = blank_of(value)
    if blank is not None:
        note_blank(field, blank, source, layout)
        return ""
    if not isinstance(value, str):
        raise BadRow(f"the {field} holds {kind_of(value)}; expected text")
    return value


def note_blank(field: str, blank: Blank, source: SourceSchema, layout: dict[str, Any]) -> None:
    """Keeps how this row writes the empty field, where the source usually does it in another way."""
    if blank != source.blanks.get(field, "text"):
        layout.setdefault("blanks", {})[field] = blank


def blank_written(field: str, source: SourceSchema, layout: dict[str, Any]) -> Blank:
    """How the row wrote the field when it was empty."""
    usual: Blank = source.blanks.get(field, "text")
    found: Blank = layout.get("blanks", {}).get(field, usual)
    return found


def put_field(
    row: dict[str, Any],
    source: SourceSchema,
    layout: dict[str, Any],
    field: str,
    value: Any,
    *,
    empty: bool | None = None,
) -> None:
    """Writes a field, an empty one in the way the source wrote it."""
    blank = blank_written(field, source, layout)
    if (not value if empty is None else empty) and blank != "text":
        if blank == "absent":
            return
        value = None if blank == "null" else math.nan
    row[source.fields[field]] = value


def kind_of(value: Any) -> str:
    """The type of a value in words, for a reason that must not show it."""
    names = {
        bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"
    }  # fmt: skip
    return "nothing" if value is None else names.get(type(value), "a value of another type")
