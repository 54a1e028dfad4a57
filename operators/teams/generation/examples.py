"""Examples of the set's own style, shown to the model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Literal

from operators.data.records import Record
from operators.llm.prompts import without_template_tokens
from operators.teams.base import to_process

EXAMPLE_CHARACTERS = 400
"""Longest turn of an example: the prompt is read again for every record."""


def example_pool(records: Sequence[Record]) -> list[Record]:
    """Records fit to be shown: a question and its answer, both short, written by people, clean if any is. Of a
    longer conversation the first exchange, which needs nothing before it to be understood."""
    complete = [
        opening
        for r in records
        if not r.generated_by
        and (opening := _opening(r))
        and all(0 < len(t.strip()) <= EXAMPLE_CHARACTERS for t in (opening.question, opening.answer))
    ]
    return [r for r in complete if not to_process(r)] or complete


def _opening(record: Record) -> Record | None:
    """The record up to its first answer, where that follows its first question and nothing else was said."""
    spoken = [i for i, m in enumerate(record.messages) if m.role != "system"]
    if len(spoken) < 2 or [record.messages[i].role for i in spoken[:2]] != ["user", "assistant"]:
        return None
    return record if len(spoken) == 2 else replace(record, messages=record.messages[: spoken[1] + 1])


def pick(pool: Sequence[Record], count: int, *seed: object) -> list[Record]:
    """`count` records of the pool (fewer where it has fewer), the same for the same pool and seed."""
    rng = Random("/".join(map(str, seed)))  # text seeds go through SHA-512: equal on every machine
    return rng.sample(list(pool), min(count, len(pool)))


def as_answer(record: Record, *sides: Literal["question", "answer"]) -> str:
    """What a model that writes these sides would have said: JSON, without any token of a chat template."""
    texts = {side: without_template_tokens(getattr(record, side)).strip() for side in sides}
    return json.dumps(texts, ensure_ascii=False, separators=(",", ":"))
