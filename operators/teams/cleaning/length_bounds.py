"""Drops records too short to teach anything, or longer than the model reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from pydantic import Field, model_validator

from operators.data.records import Record
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params

_BATCH = 1000


class LengthBoundsParams(Params):
    """Parameters of `length_bounds`."""

    min_tokens: int = Field(
        4, ge=0, description="Tokens a conversation has at least; the paper's 20 drops good short answers"
    )
    max_tokens: int = Field(2560, ge=1, description="Tokens a conversation has at most")
    keep_incomplete: bool = Field(
        True,
        description="Keep records with an empty question or answer, for Generation to fill. False drops them: "
        "right where no Generation follows",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_tokens > self.max_tokens:
            raise ValueError("min_tokens must not be more than max_tokens")
        return self


class LengthBounds(Operator[LengthBoundsParams]):
    """Bounds the length of a conversation: the target model's tokens of all turns, template tokens aside.

    A record with an empty turn is neither short nor long but incomplete: what becomes of it is said by
    `keep_incomplete`. A record without any text is always dropped. Touches all records: length is no matter of
    quality.
    """

    name = "length_bounds"
    team = Team.CLEANING
    params_type = LengthBoundsParams

    def apply(self, records: list[Record], context: Context) -> list[Record]:
        count: Callable[[Record], int] | None = None
        kept = []
        for i, record in enumerate(records):
            if i % _BATCH == 0:
                context.progress(self.name, i, len(records))
            reason = self._incomplete(record)
            if reason is None:
                low, high = _token_bounds(record)
                if low < self.params.min_tokens or high > self.params.max_tokens:
                    count = count or _counter(context.target_model)
                    low = high = count(record)
                reason = self._out_of_bounds(low, high)
            if reason:
                self.count(reason)
            if not reason or reason == "incomplete_kept":
                kept.append(record)
        return kept

    def _incomplete(self, record: Record) -> str | None:
        roles = {m.role for m in record.messages if m.content.strip()}
        if not roles & {"user", "assistant"}:
            return "empty"
        missing = {"user", "assistant"} - roles or any(
            not m.content.strip() for m in record.messages if m.role != "system"
        )
        if not missing:
            return None
        return "incomplete_kept" if self.params.keep_incomplete else "incomplete"

    def _out_of_bounds(self, low: int, high: int) -> str:
        if low < self.params.min_tokens:
            return "too_short"
        return "too_long" if high > self.params.max_tokens else ""


def _token_bounds(record: Record) -> tuple[int, int]:
    """Fewest and most tokens any usual tokenizer makes of the record: one a word, and one a byte (and one more a
    turn, where a tokenizer begins with a space)."""
    low = sum(len(m.content.split()) for m in record.messages)
    high = sum(len(m.content) + 1 for m in record.messages)
    if not all(m.content.isascii() for m in record.messages):
        high = sum(len(m.content.encode("utf-8", "replace")) + 1 for m in record.messages)
    return low, high


def _counter(model: str) -> Callable[[Record], int]:
    from operators.models import local_path

    path = local_path(model)
    tokenizer: Any
    if (path / "tokenizer.json").exists():
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()

        def count(record: Record) -> int:
            return sum(
                len(tokenizer.encode(_encodable(m.content), add_special_tokens=False)) for m in record.messages
            )

        return count
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path)

    def count_slowly(record: Record) -> int:
        return sum(len(tokenizer.encode(_encodable(m.content), add_special_tokens=False)) for m in record.messages)

    return count_slowly


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # lone surrogates would stop the tokenizer
