"""A conversation as a list of turns in one column <-> messages."""

from __future__ import annotations

import json
from typing import Any

from operators.data.fields import ABSENT, BadRow, blank_of, kind_of
from operators.data.records import Message, Record, Role
from operators.data.schemas import ROLES, SourceSchema, TextStyle, dump_turns

_TABLES = ("parquet", "datasets")


def read_turns(row: dict[str, Any], source: SourceSchema, layout: dict[str, Any]) -> list[Message]:
    """The messages of a row's turns, with an empty one where the user's or the last answer is missing. What the
    messages do not tell of the turns goes into `layout`. Raises BadRow where they are no turns."""
    column, role_key, content_key = source.turn_fields
    value = row.get(column)
    if blank_of(value) is not None:
        raise BadRow("question and answer are both empty")
    if source.turns_as_text is not None:
        value = _from_text(value, source.turns_as_text, layout)
    if not isinstance(value, list):
        raise BadRow(f"the turns are {kind_of(value)}; expected a list")
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
    """A message, and the turn as it was where the message alone does not tell, less a text that is one string."""
    if not isinstance(turn, dict):
        raise BadRow(f"turn {place} is {kind_of(turn)}; expected an object")
    name = turn.get(role_key)
    role = ROLES.get(name.strip().lower()) if isinstance(name, str) else None
    if role is None:
        raise BadRow(f"turn {place} has a role other than system, user or assistant")
    content = turn.get(content_key, ABSENT)
    text = _content_text(content, place)
    # An Arrow struct has every key in every turn; those without a value come back by themselves.
    sparse = source.container.kind in _TABLES and source.turns_as_text is None
    template = {k: v for k, v in turn.items() if k == content_key or not (sparse and v is None)}
    if isinstance(content, str):
        template[content_key] = ""  # marks the place; the message has the text
        if list(template.items()) == list(_usual(role, source).items()):
            return Message(role, text), None
    return Message(role, text), template


def _usual(role: Role, source: SourceSchema) -> dict[str, Any]:
    """A turn of this role as most of the source's are, its text left out."""
    _, role_key, content_key = source.turn_fields
    turn = {role_key: source.roles.get(role, role), content_key: ""}
    return dict(reversed(turn.items())) if source.content_first else turn


def _content_text(content: Any, place: int) -> str:
    if isinstance(content, str):
        return content
    if blank_of(content) is not None:
        return ""
    if not isinstance(content, list):
        raise BadRow(f"turn {place} holds {kind_of(content)}; expected text")
    texts = []
    for part in content:
        text = part.get("text") if isinstance(part, dict) and part.get("type", "text") == "text" else part
        if not isinstance(text, str):
            raise BadRow(f"turn {place} has a part that is not text")
        texts.append(text)
    return "\n".join(texts)


def write_turns(row: dict[str, Any], record: Record, source: SourceSchema, layout: dict[str, Any]) -> None:
    """Puts the record's turns into the row, as the source writes them."""
    column, _, content_key = source.turn_fields
    templates = layout.get("turns") or []
    if len(templates) != len(record.messages):
        templates = [None] * len(record.messages)
    dropped = _still_empty(record, layout.get("added", []))
    turns = []
    for place, (message, template) in enumerate(zip(record.messages, templates, strict=True)):
        if place in dropped:
            continue
        turn = dict(template or _usual(message.role, source))
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
