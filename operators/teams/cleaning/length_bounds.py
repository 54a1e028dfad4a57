"""Drops records too short to teach anything, or longer than the model reads."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Self

from pydantic import Field, model_validator

from operators.data.records import Record
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params

_BATCH = 256


class LengthBoundsParams(Params):
    """Parameters of `length_bounds`."""

    min_tokens: int = Field(
        4,
        ge=0,
        le=1_000_000,
        description="Tokens a conversation has at least; the paper's 20 drops good short answers",
    )
    max_tokens: int = Field(2560, ge=1, le=1_000_000, description="Tokens a conversation has at most")
    keep_incomplete: bool = Field(
        True,
        description="Keep records with an empty question or answer, for a later Generation to fill. False drops "
        "them, as the default chain does: there, only a Generation before Cleaning fills them",
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
    rowwise = True

    def apply(self, records: list[Record], context: Context) -> list[Record]:
        p = self.params
        bounds = [_token_bounds(r) for r in records]
        unsure = [i for i, (low, high) in enumerate(bounds) if low < p.min_tokens or high > p.max_tokens]
        unsure = [i for i in unsure if not self._incomplete(records[i])]
        if unsure:
            count = _counter(context.target_model)
            for start in range(0, len(unsure), _BATCH):
                context.progress(self.name, start, len(unsure))
                part = unsure[start : start + _BATCH]
                for i, n in zip(part, count([records[i] for i in part]), strict=True):
                    bounds[i] = (n, n)
        kept = []
        for record, (low, high) in zip(records, bounds, strict=True):
            reason = self._incomplete(record) or self._out_of_bounds(low, high)
            if reason:
                self.count(reason)
            if reason in ("", "incomplete_kept"):
                kept.append(record)
        return kept

    def _incomplete(self, record: Record) -> str:
        roles = {m.role for m in record.messages if m.content.strip()}
        if not roles & {"user", "assistant"}:
            return "empty"
        missing = {"user", "assistant"} - roles or any(
            not m.content.strip() for m in record.messages if m.role != "system"
        )
        if not missing:
            return ""
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


@functools.lru_cache(maxsize=2)
def _counter(model: str) -> Callable[[list[Record]], list[int]]:
    """count(records) -> tokens of each record under the model's tokenizer."""
    from operators.models import local_path

    path = local_path(model)
    encode: Callable[[list[str]], list[int]]
    if (path / "tokenizer.json").exists():
        from tokenizers import Tokenizer

        fast = Tokenizer.from_file(str(path / "tokenizer.json"))
        fast.no_truncation()
        fast.no_padding()

        def encode(texts: list[str]) -> list[int]:
            return [len(e) for e in fast.encode_batch_fast(texts, add_special_tokens=False)]

    else:
        from transformers import AutoTokenizer

        slow = AutoTokenizer.from_pretrained(path)

        def encode(texts: list[str]) -> list[int]:
            return [len(ids) for ids in slow(texts, add_special_tokens=False)["input_ids"]]

    def count(records: list[Record]) -> list[int]:
        lengths = iter(encode([_encodable(m.content) for r in records for m in r.messages]))
        return [sum(next(lengths) for _ in r.messages) for r in records]

    return count


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # lone surrogates would stop the tokenizer
