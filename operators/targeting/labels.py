"""Quality labels that come with the data."""

from __future__ import annotations

from collections.abc import Sequence

from operators.data.records import Record
from operators.errors import DataError

_LOW = {"1", "true", "yes"}
_CLEAN = {"0", "false", "no"}


def labels_of(records: Sequence[Record], column: str) -> list[bool | None]:
    """True (low quality), False (clean) or None (no label) per record, from a column of the source.

    1, true and yes mean low quality; 0, false and no mean clean; a missing or empty value is no label. Raises
    DataError where no record has the column, or where it holds anything else.
    """
    if not any(column in r.meta for r in records):
        raise DataError(f"targeting.label_column: no record has a column {column!r}")
    labels: list[bool | None] = []
    for record in records:
        value = record.meta.get(column)
        text = "" if value is None else str(value).strip().lower().removesuffix(".0")
        if text in _LOW:
            labels.append(True)
        elif text in _CLEAN:
            labels.append(False)
        elif text in ("", "nan"):
            labels.append(None)
        else:
            raise DataError(
                f"targeting.label_column {column!r}: record {len(labels) + 1} holds a value that is no label; "
                "give 1 or true for low quality, 0 or false for clean, or leave it empty"
            )
    return labels
