"""What the operators that load the target model share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field

from operators.data.records import Record
from operators.teams.base import Context
from operators.teams.selection.base import SelectionParams

if TYPE_CHECKING:
    from operators.training.tokens import Example


class ModelParams(SelectionParams):
    """How much of a conversation is read."""

    max_length: int = Field(512, ge=16, le=1 << 16, description="Tokens of a conversation that are read")


class Readable(NamedTuple):
    """The records that have an answer within the length, by their places, as token ids."""

    places: list[int]
    examples: list[Example]


def readable(records: Sequence[Record], tokenizer: Any, max_length: int) -> Readable:
    """Leaves out records whose answers are empty or begin after `max_length` tokens."""
    from operators.training.tokens import encode

    found = [(i, encode(r, tokenizer, max_length)) for i, r in enumerate(records) if r.answer.strip()]
    whole = [(i, e) for i, e in found if e is not None]
    return Readable([i for i, _ in whole], [e for _, e in whole])


def reporting(context: Context, label: str) -> Callable[[int, int], None]:
    """A progress function of (done, total) that reports under `label`."""
    return lambda done, total: context.progress(label, done, total)
