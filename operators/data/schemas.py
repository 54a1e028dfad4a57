"""Conversation schemas: which columns hold the question, the answer or the turns. Detected or mapped."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from operators.data.containers import Container
from operators.data.records import Role
from operators.errors import DataError

Format = Literal["messages", "sharegpt", "alpaca", "prompt_completion", "question_answer"]
Blank = Literal["text", "null", "absent", "nan"]
TextStyle = Literal["unicode", "ascii", "compact", "compact_ascii"]

TURN_COLUMNS = ("messages", "conversations", "conversation", "dialogue", "chat")

# Schema field -> columns it goes by, best first. The order of formats is the order of detection.
FIELDS: dict[Format, dict[str, tuple[str, ...]]] = {
    "messages": {"messages": TURN_COLUMNS, "role": ("role",), "content": ("content",)},
    "sharegpt": {
        "conversations": ("conversations", "conversation", "messages", "dialogue", "chat"),
        "from": ("from",),
        "value": ("value",),
    },
    "alpaca": {
        "instruction": ("instruction",),
        "input": ("input", "context"),
        "output": ("output", "response", "answer"),
    },
    "prompt_completion": {
        "prompt": ("prompt",),
        "completion": ("completion", "response", "answer", "output"),
    },
    "question_answer": {
        "question": ("question", "query", "input", "problem", "q"),
        "answer": ("answer", "response", "output", "solution", "a"),
    },
}
OPTIONAL = {"input", "system", "id", "label"}
COMMON: dict[str, tuple[str, ...]] = {
    "id": ("id", "_id", "uid", "uuid", "record_id", "example_id"),
    "label": (),
}
SYSTEM = ("system", "system_prompt")
_KNOWN_NAMES = {
    name for fields in (COMMON, *FIELDS.values()) for names in fields.values() for name in names if len(name) > 1
} | set(SYSTEM)

_LIKE_A_NAME = re.compile(r"[\w.\-]{0,32}( [\w.\-]{1,16})?").fullmatch

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
}


class SourceSchema(BaseModel):
    """How the source spells a conversation: all a writer needs to spell it the same way. No record text."""

    model_config = ConfigDict(frozen=True)
    container: Container
    format: Format
    fields: dict[str, str]
    """Schema field -> column; for `messages` and `sharegpt` also the keys inside a turn."""
    columns: tuple[str, ...] = ()
    """Columns in the order of the source."""
    roles: dict[Role, str] = {}
    """Turn formats: what the source calls each role."""
    content_first: bool = False
    """Turn formats: whether a turn's content usually stands before its role."""
    blanks: dict[str, Blank] = {}
    """How the source usually writes an empty field, where that is not an empty string."""
    turns_as_text: TextStyle | None = None
    """Turn formats: how the column spells JSON text, where it holds text (always so in CSV)."""
    integer_ids: bool = False
    """Whether the id column holds whole numbers."""
    own_rows: bool = False
    """The project's own rows: {"id", "messages", "meta"}, with `meta` nested."""

    @property
    def has_turns(self) -> bool:
        """Whether one column holds a list of turns."""
        return self.format in ("messages", "sharegpt")

    @property
    def turn_fields(self) -> tuple[str, str, str]:
        """(column, role key, content key) of a turn format."""
        column, role, content = (self.fields[name] for name in FIELDS[self.format])
        return column, role, content

    @property
    def pair_fields(self) -> tuple[str, str]:
        """(question field, answer field) of the other formats."""
        names = [name for name in FIELDS[self.format] if name not in OPTIONAL]
        return names[0], names[1]


def detect(
    rows: Sequence[dict[str, Any]],
    columns: Sequence[str],
    *,
    format: str,
    mapping: Mapping[str, str],
    uri: str,
    is_csv: bool = False,
    more: bool = False,
) -> tuple[Format, dict[str, str]]:
    """The schema and its columns, from the first rows.

    `mapping` (schema field -> column) goes before any guess. `more`: later rows may have columns that these do
    not, so a mapped one that no row needs may be missing. Raises DataError naming the columns seen and the
    `columns:` mapping that would help.
    """
    missing = [
        column
        for field, column in mapping.items()
        if column not in columns and not in_turn(field) and not (more and field in OPTIONAL)
    ]
    if missing:
        raise DataError(
            f"{uri}: the mapping `columns:` names {', '.join(map(repr, missing))}, which is not in the file; the "
            f"columns are {_names(rows, columns, is_csv)}"
        )
    if format != "auto" and format not in FIELDS:
        raise DataError(f"{uri}: unknown format {format!r}; expected auto or one of {', '.join(FIELDS)}")
    known: list[Format] = [name for name in FIELDS if format in ("auto", name)]
    candidates = [name for name in known if mapping.keys() <= _fields(name).keys()]
    if not candidates:
        fields = sorted({field for name in known for field in _fields(name)})
        raise DataError(
            f"{uri}: the mapping `columns:` has fields that no format knows together "
            f"({', '.join(sorted(mapping))}); the fields are {', '.join(fields)}"
        )
    for name in candidates:
        found = _resolve(name, rows, columns, mapping)
        if not _lacking(name, found):
            return name, found
    if len(candidates) == 1:
        lacking = _lacking(candidates[0], _resolve(candidates[0], rows, columns, mapping))
        raise DataError(
            f"{uri}: format {candidates[0]} needs {', '.join(lacking)}, which no column seems to hold; the "
            f"columns are {_names(rows, columns, is_csv)}; name it in the configuration, for example "
            f"`columns: {{{lacking[0]}: <column>}}`"
        )
    raise DataError(
        f"{uri}: no known schema among the columns {_names(rows, columns, is_csv)}; name them in the "
        "configuration, for example `columns: {question: <column>, answer: <column>}`, or set `format:`"
    )


def with_later_columns(source: SourceSchema, columns: Sequence[str]) -> SourceSchema:
    """The schema where later rows have these columns besides: a field that no row needs, and that no column held,
    is read from one that goes by its name. The rows before had none."""
    names = {c.strip().lower(): c for c in reversed(columns) if c not in source.fields.values()}
    later: dict[str, str] = {}
    for field, aliases in _fields(source.format).items():
        column = next((names[a] for a in aliases if a in names), None)
        if column is not None and field in OPTIONAL and field not in source.fields:
            later[field] = column
    if not later:
        return source
    return source.model_copy(
        update={
            "fields": {**source.fields, **later},
            "columns": (*source.columns, *later.values()),
            "blanks": {**source.blanks, **dict.fromkeys(later, "absent")},
        }
    )


def sample_turns(rows: Sequence[dict[str, Any]], column: str) -> list[dict[str, Any]]:
    """The turns of the first rows, whatever is well-formed among them."""
    found: list[dict[str, Any]] = []
    for row in rows:
        value = row.get(column)
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                continue
        if isinstance(value, list):
            found += [turn for turn in value if isinstance(turn, dict)]
    return found


def dump_turns(turns: Any, style: TextStyle) -> str:
    """JSON text in one of the spellings that common writers use."""
    return json.dumps(
        turns,
        ensure_ascii=style.endswith("ascii"),
        separators=(",", ":") if style.startswith("compact") else None,
    )


def _fields(name: Format) -> dict[str, tuple[str, ...]]:
    return {**FIELDS[name], "system": SYSTEM, **COMMON}


def in_turn(field: str) -> bool:
    """Whether a field is a key inside a turn, not a column."""
    return field in ("role", "content", "from", "value")


def _lacking(name: Format, found: Mapping[str, str]) -> list[str]:
    return [field for field in FIELDS[name] if field not in OPTIONAL and field not in found]


def _resolve(
    name: Format, rows: Sequence[dict[str, Any]], columns: Sequence[str], mapping: Mapping[str, str]
) -> dict[str, str]:
    by_name = {c.strip().lower(): c for c in reversed(columns)}
    found = dict(mapping)
    for field, aliases in _fields(name).items():
        if field in found or in_turn(field):
            continue
        free = (by_name[a] for a in aliases if a in by_name and by_name[a] not in found.values())
        column = next(free, None)
        if column is not None:
            found[field] = column
    if name in ("messages", "sharegpt"):
        column_field, *turn_fields = FIELDS[name]
        turns = sample_turns(rows, found[column_field]) if column_field in found else []
        for field in turn_fields:
            key = found.pop(field, field)
            if any(key in turn for turn in turns):
                found[field] = key
    return found


def _names(rows: Sequence[dict[str, Any]], columns: Sequence[str], is_csv: bool) -> str:
    """Columns fit to be shown where they are not those of a schema; the others are counted.

    A CSV file without a header row has a record's text for columns, and JSON rows may be keyed by people's names:
    shown are those that some schema knows, and outside CSV those that nearly every one of several rows has.
    """
    several = not is_csv and len(rows) > 1
    often = {c for c in columns if sum(c in row for row in rows) >= 0.9 * len(rows)} if several else set()
    shown = [repr(c) for c in columns if c.strip().lower() in _KNOWN_NAMES or (c in often and _LIKE_A_NAME(c))]
    hidden = len(columns) - len(shown[:20])
    if not shown:
        why = (
            "without a header row they would be a record; see that there is one"
            if is_csv
            else "they may be a record"
        )
        return f"({hidden}, not shown: {why})"
    return ", ".join(shown[:20]) + (f" and {hidden} other{'s' * (hidden > 1)}, not shown" if hidden else "")
