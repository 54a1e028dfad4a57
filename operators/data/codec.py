"""Source row <-> record, exact in both directions.

Where a row spells its conversation in a way that the source schema alone does not tell (a null for an empty
answer, an extra key inside a turn), what is needed to spell it so again is kept under `meta[LAYOUT]`. Most rows
need no such entry.
"""

from __future__ import annotations

import json
import math
import re
import sys
from dataclasses import replace
from typing import Any

from operators.data.records import Message, Record
from operators.data.schemas import ROLES, Blank, SourceSchema, TextStyle, dump_turns

LAYOUT = "__layout__"
"""Reserved key of `meta`: never a column of the output."""

PARAGRAPH = "\n\n"
_ABSENT: Any = object()
_TABLES = ("parquet", "datasets")


class BadRow(ValueError):
    """A row that cannot be a record. The message is the reason, without any of the row's text."""


def decode(row: Any, number: int, source: SourceSchema) -> Record:
    """The record of a row. Its id is the row's own, or comes from the row number; not yet made unique.

    A missing or empty question or answer becomes an empty turn. Raises BadRow where a value has the wrong type,
    where question and answer are both empty, or where text is no valid Unicode.
    """
    if not isinstance(row, dict):
        raise BadRow(f"expected an object with columns, found {_kind(row)}")
    layout: dict[str, Any] = {}
    turns = _turns(row, source, layout) if source.has_turns else _pair(row, source, layout)
    meta = _own_meta(row, source, layout) if source.own_rows else _other_columns(row, source, layout)
    flagged = row.get("flagged") if source.own_rows else None
    if not (flagged is None or isinstance(flagged, bool)):
        raise BadRow(f"the column 'flagged' holds {_kind(flagged)}; expected true, false or null")
    if source.own_rows and flagged is None:
        _note_blank("flagged", "null" if "flagged" in row else "absent", source, layout)
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
        if record.flagged is not None or _blank("flagged", source, layout) != "absent":
            row["flagged"] = record.flagged
        _put(row, source, layout, "meta", meta, empty=not meta)
        row |= layout.get("extra", {})
    else:
        row = {**meta, **row, **layout.get("extra", {})}
    ordered = {name: row.pop(name) for name in source.columns if name in row}
    return {**ordered, **row}


def blank_of(value: Any) -> Blank | None:
    """How an empty value is written: null, NaN (as pandas writes a missing text), or an empty text. None where
    it is not empty."""
    if value is _ABSENT:
        return "absent"
    if value is None:
        return "null"
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    return "text" if value == "" else None


def blank_in(row: dict[str, Any], column: str) -> Blank | None:
    """`blank_of` a column that may be missing from the row."""
    return blank_of(row.get(column, _ABSENT))


# Question and answer in columns of their own


def _pair(row: dict[str, Any], source: SourceSchema, layout: dict[str, Any]) -> list[Message]:
    question_field, answer_field = source.pair_fields
    system = _text(row, "system", source, layout)
    question = _text(row, question_field, source, layout)
    context = _text(row, "input", source, layout) if source.format == "alpaca" else ""
    if context:
        layout["input"] = context
        question = question + PARAGRAPH + context if question else context
    turns = [Message("system", system)] if system else []
    answer = _text(row, answer_field, source, layout)
    return [*turns, Message("user", question), Message("assistant", answer)]


def _put_pair(row: dict[str, Any], record: Record, source: SourceSchema, layout: dict[str, Any]) -> None:
    question_field, answer_field = source.pair_fields
    question = record.question
    if source.format == "alpaca" and "input" in source.fields:
        question, context = _apart(question, layout.get("input", ""))
        _put(row, source, layout, "input", context)
    if "system" in source.fields:
        system = next((m.content for m in record.messages if m.role == "system"), "")
        _put(row, source, layout, "system", system)
    _put(row, source, layout, question_field, question)
    _put(row, source, layout, answer_field, record.answer)


def _apart(question: str, context: str) -> tuple[str, str]:
    """(instruction, input) of an alpaca question. Where processing changed the text, the input is the as many
    last paragraphs as it was; where those are not there, all is instruction."""
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


def _text(row: dict[str, Any], field: str, source: SourceSchema, layout: dict[str, Any]) -> str:
    column = source.fields.get(field)
    if column is None:
        return ""
    value = row.get(column, _ABSENT)
    blank = blank_of(value)
    if blank is not None:
        _note_blank(field, blank, source, layout)
        return ""
    if not isinstance(value, str):
        raise BadRow(f"the {field} holds {_kind(value)}; expected text")
    return value


def _note_blank(field: str, blank: Blank, source: SourceSchema, layout: dict[str, Any]) -> None:
    if blank != source.blanks.get(field, "text"):
        layout.setdefault("blanks", {})[field] = blank


def _blank(field: str, source: SourceSchema, layout: dict[str, Any]) -> Blank:
    usual: Blank = source.blanks.get(field, "text")
    found: Blank = layout.get("blanks", {}).get(field, usual)
    return found


def _put(
    row: dict[str, Any],
    source: SourceSchema,
    layout: dict[str, Any],
    field: str,
    value: Any,
    *,
    empty: bool | None = None,
) -> None:
    """Writes a field, an empty one in the way the source wrote it."""
    blank = _blank(field, source, layout)
    if (not value if empty is None else empty) and blank != "text":
        if blank == "absent":
            return
        value = None if blank == "null" else math.nan
    row[source.fields[field]] = value


# A list of turns in one column


def _turns(row: dict[str, Any], source: SourceSchema, layout: dict[str, Any]) -> list[Message]:
    column, role_key, content_key = source.turn_fields
    value = row.get(column)
    if blank_of(value) is not None:
        raise BadRow("question and answer are both empty")
    if source.turns_as_text is not None:
        value = _from_text(value, source.turns_as_text, layout)
    if not isinstance(value, list):
        raise BadRow(f"the turns are {_kind(value)}; expected a list")
    turns: list[Message] = []
    templates: list[dict[str, Any] | None] = []
    for place, turn in enumerate(value, start=1):
        message, template = _turn(turn, place, source, role_key, content_key)
        turns.append(message)
        templates.append(template)
    added = []
    if not any(m.role == "user" for m in turns):
        place = next((i for i, m in enumerate(turns) if m.role != "system"), len(turns))
        turns.insert(place, Message("user", ""))
        templates.insert(place, None)
        added.append("user")
    if turns[-1].role != "assistant":
        turns.append(Message("assistant", ""))
        templates.append(None)
        added.append("assistant")
    if any(templates):
        layout["turns"] = templates
    if added:
        layout["added"] = added
    return turns


def _turn(
    turn: Any, place: int, source: SourceSchema, role_key: str, content_key: str
) -> tuple[Message, dict[str, Any] | None]:
    """A message, and the turn as it was (without its text) where the message alone does not tell."""
    if not isinstance(turn, dict):
        raise BadRow(f"turn {place} is {_kind(turn)}; expected an object")
    name = turn.get(role_key)
    role = ROLES.get(name.strip().lower()) if isinstance(name, str) else None
    if role is None:
        raise BadRow(f"turn {place} has a role other than system, user or assistant")
    content = turn.get(content_key, _ABSENT)
    text = _content_text(content, place)
    # An Arrow struct has every key in every turn; those without a value come back by themselves.
    sparse = source.container.kind in _TABLES and source.turns_as_text is None
    template = {k: v for k, v in turn.items() if k == content_key or not (sparse and v is None)}
    if isinstance(content, str):
        template[content_key] = ""  # marks the place; the message has the text
        if template == {role_key: source.roles.get(role, role), content_key: ""}:
            return Message(role, text), None
    return Message(role, text), template


def _content_text(content: Any, place: int) -> str:
    if isinstance(content, str):
        return content
    if blank_of(content) is not None:
        return ""
    if not isinstance(content, list):
        raise BadRow(f"turn {place} holds {_kind(content)}; expected text")
    texts = []
    for part in content:
        text = part.get("text") if isinstance(part, dict) and part.get("type", "text") == "text" else part
        if not isinstance(text, str):
            raise BadRow(f"turn {place} has a part that is not text")
        texts.append(text)
    return "\n".join(texts)


def _put_turns(row: dict[str, Any], record: Record, source: SourceSchema, layout: dict[str, Any]) -> None:
    column, role_key, content_key = source.turn_fields
    templates = layout.get("turns") or []
    if len(templates) != len(record.messages):
        templates = [None] * len(record.messages)
    dropped = _still_empty(record, layout.get("added", []))
    turns = []
    for place, (message, template) in enumerate(zip(record.messages, templates, strict=True)):
        if place in dropped:
            continue
        turn = dict(template or {role_key: source.roles.get(message.role, message.role), content_key: ""})
        if content_key in turn or message.content:
            old = turn.get(content_key)
            if isinstance(old, list):
                same = _content_text(old, place) == message.content
                turn[content_key] = old if same else [{"type": "text", "text": message.content}]
            elif message.content or isinstance(old, str):
                turn[content_key] = message.content
        turns.append(turn)
    row[column] = turns if source.turns_as_text is None else _to_text(turns, source.turns_as_text, layout)


def _from_text(text: Any, style: TextStyle, layout: dict[str, Any]) -> Any:
    try:
        value = json.loads(text)
        if dump_turns(value, style) != text:
            layout["text"] = text
    except (ValueError, TypeError, RecursionError):
        raise BadRow("the turns are not valid JSON text") from None
    return value


def _to_text(turns: list[dict[str, Any]], style: TextStyle, layout: dict[str, Any]) -> str:
    text: str | None = layout.get("text")
    return text if text is not None and json.loads(text) == turns else dump_turns(turns, style)


def _still_empty(record: Record, added: list[str]) -> set[int]:
    """Places of the turns that reading added and nothing has filled since."""
    places = set()
    roles = [m.role for m in record.messages]
    if "user" in added and "user" in roles:
        places.add(roles.index("user"))
    if "assistant" in added:
        places.add(len(roles) - 1)
    return {p for p in places if not record.messages[p].content}


# Everything that is not the conversation


def conversation_columns(source: SourceSchema) -> set[str]:
    """Columns that are not carried in `meta`: the conversation and the id."""
    inside = set(source.turn_fields[1:]) if source.has_turns else set()
    return {c for f, c in source.fields.items() if f != "label" and not (c in inside and f != "id")}


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
    meta = row.get("meta", _ABSENT)
    blank = blank_of(meta)
    if blank is not None:
        _note_blank("meta", blank, source, layout)
        return {}
    if not isinstance(meta, dict):
        raise BadRow(f"the column 'meta' holds {_kind(meta)}; expected an object")
    # A layout in it belongs to the file the row was first read from.
    return {sys.intern(k): v for k, v in meta.items() if k != LAYOUT}


def with_unique_id(record: Record, name: str, source: SourceSchema) -> Record:
    """The record under another id; its own is kept for the output. `record` must be fresh from `decode`."""
    layout = record.meta.get(LAYOUT, {})
    if "id" in source.fields and "id" not in layout and _blank("id", source, layout) != "absent":
        layout["id"] = int(record.id) if source.integer_ids else record.id
        record.meta[LAYOUT] = layout
    return replace(record, id=name)


def _id(row: dict[str, Any], number: int, source: SourceSchema, layout: dict[str, Any]) -> str:
    column = source.fields.get("id")
    if column is None:
        return f"row-{number:06d}"
    own = row.get(column, _ABSENT)
    if own is _ABSENT:
        _note_blank("id", "absent", source, layout)
        return f"row-{number:06d}"
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
    if column is None or _blank("id", source, layout) == "absent":
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


def _kind(value: Any) -> str:
    names = {
        bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"
    }  # fmt: skip
    return "nothing" if value is None else names.get(type(value), "a value of another type")
