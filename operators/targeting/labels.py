"""Quality labels that come with the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from operators.data.records import Record
from operators.errors import DataError

_LOW = {"1", "true", "yes"}
_CLEAN = {"0", "false", "no"}


def labels_of(records: Sequence[Record], column: str) -> list[bool | None]:
    """True (low quality), False (clean) or None (no label) per record, from a column of the source.

    1, true and yes mean low quality; 0, false and no mean clean; a missing or empty value is no label, as is every
    one of a set without the column: those that a recipe is applied to later have none as a rule. Raises DataError
    where the column holds anything else.
    """
    for number, record in enumerate(records, 1):
        if fault := label_fault(record, column):
            raise DataError(f"record {number}: {fault}")
    return [_label(r.meta.get(column)) for r in records]


def label_fault(record: Record, column: str) -> str | None:
    """What is wrong with a record's label and how to mend it, without the label itself. None where nothing is."""
    try:
        _label(record.meta.get(column))
    except ValueError:
        return (
            f"targeting.label_column {column!r} holds a value that is no label; give 1 or true for low quality, "
            "0 or false for clean, or leave it empty"
        )
    return None


def _label(value: Any) -> bool | None:
    text = "" if value is None else str(value).strip().lower().removesuffix(".0")
    if text in _LOW:
        return True
    if text in _CLEAN:
        return False
    if text in ("", "nan"):
        return None
    raise ValueError("no label")
