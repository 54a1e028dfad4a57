"""What the operators that load the target model share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import Field

from operators.data.records import Record
from operators.errors import ConfigError
from operators.teams.base import Context
from operators.teams.selection.base import SelectionOperator, SelectionParams, development

if TYPE_CHECKING:
    from operators.training.tokens import Example


class ModelParams(SelectionParams):
    """How much of a conversation is read."""

    max_length: int = Field(512, ge=16, le=1 << 16, description="Tokens of a conversation that are read")


P = TypeVar("P", bound=ModelParams)


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


def aims_of(operator: SelectionOperator[P], context: Context, tokenizer: Any) -> Readable:
    """The development questions whose answers are within the length. Raises ConfigError where none is."""
    length = operator.params.max_length
    aims = readable(development(operator, context), tokenizer, length)
    if not aims.places:
        raise ConfigError(
            f"{operator.name}: no development question leaves room for its answer within {length} tokens: raise "
            "its max_length"
        )
    return aims


def reporting(context: Context, label: str) -> Callable[[int, int], None]:
    """A progress function of (done, total) that reports under `label`."""
    return lambda done, total: context.progress(label, done, total)
