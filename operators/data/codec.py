"""Source row <-> record, exact in both directions.

Where a row spells its conversation in a way that the source schema alone does not tell (a null for an empty
answer, an extra key inside a turn), what is needed to spell it so again is kept under `meta[LAYOUT]`. Most rows
need no such entry.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import Any

from operators.data.fields import ABSENT, BadRow, blank_of, blank_written, kind_of, note_blank, put_field, text_of
from operators.data.records import Message, Record
from operators.data.schemas import SourceSchema, in_turn
from operators.data.turns import read_turns, write_turns

LAYOUT = "__layout__"
"""Reserved key of `meta`: never a column of the output."""

PARAGRAPH = "\n\n"


def decode(row: Any, number: int, source: SourceSchema) -> Record:
    """The record of a row. Its id is the row's own, or comes from the row number; not yet made unique.

    A missing or empty question or answer becomes an empty turn. Raises BadRow where a value has the wrong type,
    where question and answer are both empty, or where text is no valid Unicode.
    """
    if not isinstance(row, dict):
        raise BadRow(f"expected an object with columns, found {kind_of(row)}")
    layout: dict[str, Any] = {}
    turns = _turns(row, source, layout) if source.has_turns else _pair(row, source, layout)
    meta = _own_meta(row, source, layout) if source.own_rows else _other_columns(row, source, layout)
    flagged = row.get("flagged") if source.own_rows else None
    if not (flagged is None or isinstance(flagged, bool)):
        raise BadRow(f"the column 'flagged' holds {kind_of(flagged)}; expected true, false or null")
    if source.own_rows and flagged is None:
        note_blank("flagged", "null" if "flagged" in row else "absent", source, layout)
    name = _id(row, number, source, layout)
    if layout:
        meta[LAYOUT] = layout
    record = Record(name, tuple(turns), meta, flagged)
    if not record.question.strip() and not record.answer.strip():
        raise BadRow("question and answer are both empty")
    _check_unicode(record)
    return record


def encode(record: Record, source: SourceSchema) -> dict[str, Any]:
    """The row of a record: the source's columns first and in its order, then any the record has besides."""
    layout = record.meta.get(LAYOUT) or {}
    meta = {k: v for k, v in record.meta.items() if k != LAYOUT}
    row: dict[str, Any] = {}
    _put_id(row, record, source, layout)
    if source.has_turns:
        _put_turns(row, record, source, layout)
    else:
        _put_pair(row, record, source, layout)
    if source.own_rows:
        if record.flagged is not None or blank_written("flagged", source, layout) != "absent":
            row["flagged"] = record.flagged
        put_field(row, source, layout, "meta", meta, empty=not meta)
        row |= layout.get("extra", {})
    else:
        row = {**meta, **row, **layout.get("extra", {})}
    ordered = {name: row.pop(name) for name in source.columns if name in row}
    return {**ordered, **row}


# Question and answer in columns of their own


def _pair(row: dict[str, Any], source: SourceSchema, layout: dict[str, Any]) -> list[Message]:
    question_field, answer_field = source.pair_fields
    system = text_of(row, "system", source, layout)
    question = text_of(row, question_field, source, layout)
    context = text_of(row, "input", source, layout) if source.format == "alpaca" else ""
    if context:
        layout["input"] = context
        question = question + PARAGRAPH + context if question else context
    turns = [Message("system", system)] if system else []
    answer = text_of(row, answer_field, source, layout)
    return [*turns, Message("user", question), Message("assistant", answer)]


def _put_pair(row: dict[str, Any], record: Record, source: SourceSchema, layout: dict[str, Any]) -> None:
    question_field, answer_field = source.pair_fields
    question = record.question
    if source.format == "alpaca" and "input" in source.fields:
        question, context = _apart(question, layout.get("input", ""))
        put_field(row, source, layout, "input", context)
    if "system" in source.fields:
        system = next((m.content for m in record.messages if m.role == "system"), "")
        put_field(row, source, layout, "system", system)
    put_field(row, source, layout, question_field, question)
    put_field(row, source, layout, answer_field, record.answer)


def _apart(question: str, context: str) -> tuple[str, str]:
    """(instruction, input) of an alpaca question. Where processing changed the text, the input is as many
    of the last paragraphs as it had; where those are not there, all is instruction."""
    if not context:
        return question, ""
    if question == context:
        return "", question
    if question.endswith(PARAGRAPH + context):
        return question.removesuffix(PARAGRAPH + context), context
    paragraphs = context.count(PARAGRAPH) + 1
    parts = question.rsplit(PARAGRAPH, paragraphs)
    if len(parts) <= paragraphs:
        return question, ""
    return parts[0], PARAGRAPH.join(parts[1:])


# All turns in one column, a system prompt perhaps in another


def _turns(row: dict[str, Any], source: SourceSchema, layout: dict[str, Any]) -> list[Message]:
    turns = read_turns(row, source, layout)
    system = text_of(row, "system", source, layout)
    if not system:
        return turns
    if any(m.role == "system" for m in turns):
        layout["system"] = system  # the turns' own is what counts
        return turns
    layout["system"] = None
    return [Message("system", system), *turns]


def _put_turns(row: dict[str, Any], record: Record, source: SourceSchema, layout: dict[str, Any]) -> None:
    if "system" in source.fields:
        kept = layout.get("system")
        first = record.messages[:1]
        if kept is None and "system" in layout and first and first[0].role == "system":
            kept = first[0].content
            record = replace(record, messages=record.messages[1:])
        put_field(row, source, layout, "system", kept or "")
    write_turns(row, record, source, layout)


# Everything that is not the conversation


def conversation_columns(source: SourceSchema) -> set[str]:
    """Columns that are not carried in `meta`: the conversation and the id."""
    return {column for field, column in source.fields.items() if field != "label" and not in_turn(field)}


def _other_columns(row: dict[str, Any], source: SourceSchema, layout: dict[str, Any]) -> dict[str, Any]:
    ours = conversation_columns(source)
    # Interned: else a million rows hold a million copies of each column's name.
    meta = {sys.intern(k): v for k, v in row.items() if k not in ours}
    if LAYOUT in meta:
        layout["extra"] = {LAYOUT: meta.pop(LAYOUT)}
    return meta


def _own_meta(row: dict[str, Any], source: SourceSchema, layout: dict[str, Any]) -> dict[str, Any]:
    ours = conversation_columns(source) | {"flagged"}
    extra = {k: v for k, v in row.items() if k not in ours}
    if extra:
        layout["extra"] = extra
    meta = row.get("meta", ABSENT)
    blank = blank_of(meta)
    if blank is not None:
        note_blank("meta", blank, source, layout)
        return {}
    if not isinstance(meta, dict):
        raise BadRow(f"the column 'meta' holds {kind_of(meta)}; expected an object")
    # A layout in it belongs to the file the row was first read from.
    return {sys.intern(k): v for k, v in meta.items() if k != LAYOUT}


def with_unique_id(record: Record, name: str, source: SourceSchema) -> Record:
    """The record under another id; its own is kept for the output. `record` must be fresh from `decode`."""
    layout = record.meta.get(LAYOUT, {})
    if "id" in source.fields and "id" not in layout and blank_written("id", source, layout) != "absent":
        layout["id"] = int(record.id) if source.integer_ids else record.id
        record.meta[LAYOUT] = layout
    return replace(record, id=name)


def _id(row: dict[str, Any], number: int, source: SourceSchema, layout: dict[str, Any]) -> str:
    column = source.fields.get("id")
    if column is None:
        return f"row-{number:06d}"
    own = row.get(column, ABSENT)
    if own is ABSENT:
        note_blank("id", "absent", source, layout)
        return f"row-{number:06d}"
    note_blank("id", "text", source, layout)  # where rows usually have no id
    is_integer = isinstance(own, int) and not isinstance(own, bool)
    if not (isinstance(own, str) and own) or source.integer_ids:
        layout["id"] = own
    if is_integer and source.integer_ids:
        del layout["id"]
    if isinstance(own, str) and own:
        return own
    return str(own) if is_integer else f"row-{number:06d}"


def _put_id(row: dict[str, Any], record: Record, source: SourceSchema, layout: dict[str, Any]) -> None:
    column = source.fields.get("id")
    if column is None or blank_written("id", source, layout) == "absent":
        return
    if "id" in layout:
        row[column] = layout["id"]
    elif source.integer_ids:
        # A record made by an operator has a name, which a column of numbers cannot hold.
        row[column] = int(record.id) if re.fullmatch(r"-?\d+", record.id) else None
    else:
        row[column] = record.id


def _check_unicode(record: Record) -> None:
    try:
        record.id.encode()
        for message in record.messages:
            message.content.encode()
    except UnicodeEncodeError:
        raise BadRow("the text holds half of a surrogate pair (a cut emoji)") from None
