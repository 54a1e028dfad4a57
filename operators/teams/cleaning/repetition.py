"""Repairs or removes texts that say the same thing again and again."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from operators.data.records import Record
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params, to_process
from operators.text.code import looks_like_code
from operators.text.repetition import (
    collapse_loops,
    drop_repeated_sentences,
    find_repetition,
    ngram_repetition,
)
from operators.text.spacing import normalise_spaces_outside_code
from operators.text.tokens import token_hashes


class RepetitionParams(Params):
    """Parameters of `repetition`."""

    ngram: int = Field(5, ge=1, le=20, description="Tokens an n-gram: words, or characters in unspaced scripts")
    max_ratio: float = Field(0.4, gt=0, lt=1, description="Share of a turn's n-grams that may be repetitions")
    times: int = Field(
        4,
        ge=3,
        le=20,
        description="A unit of up to 12 tokens this often in a row is a loop, whatever the ratio",
    )
    least_tokens: int = Field(20, ge=1, le=10_000, description="Shorter turns are judged by their loops only")
    action: Literal["trim", "drop"] = Field(
        "trim",
        description="Say loops and repeated sentences once, and drop only what stays too repetitive; or drop",
    )


class Repetition(Operator[RepetitionParams]):
    """Collapses stuck loops and repeated sentences, in every turn but the system's; drops what stays repetitive.

    Repetition is measured on tokens that suit the script. Numbers, code, and the cells and values of tables may
    repeat. Honours the quality flag: clean records are not touched.
    """

    name = "repetition"
    version = 3
    team = Team.CLEANING
    params_type = RepetitionParams
    flagged_only = True
    rowwise = True

    def apply(self, records: list[Record], context: Context) -> list[Record]:  # noqa: ARG002
        p = self.params
        turns = [
            (i, j, m.content)
            for i, r in enumerate(records)
            if to_process(r)
            for j, m in enumerate(r.messages)
            if m.role != "system"
        ]
        texts = [t for _, _, t in turns]
        ratio, loops = find_repetition(texts, p.ngram, p.times)
        suspects = np.flatnonzero((ratio > p.max_ratio) | loops).tolist()
        mended: dict[int, dict[int, str]] = {}
        dropped: set[int] = set()
        for k in suspects:
            i, j, text = turns[k]
            if looks_like_code(text):
                continue
            new = self._mend(text)
            if new is None:
                dropped.add(i)
            elif new != text:
                mended.setdefault(i, {})[j] = new
        self.count("trimmed", len(mended.keys() - dropped))
        self.count("dropped", len(dropped))
        return [
            r.with_contents([mended.get(i, {}).get(j, m.content) for j, m in enumerate(r.messages)])
            for i, r in enumerate(records)
            if i not in dropped
        ]

    def _mend(self, text: str) -> str | None:
        """The text without its repetition; None where the record is to be dropped."""
        p = self.params
        new = collapse_loops(text, p.times)
        if new != text:
            new = normalise_spaces_outside_code(new)
        if p.action == "drop":
            return text if new == text and not self._too_much(text) else None
        if self._too_much(new):
            new = drop_repeated_sentences(new)
        return None if self._too_much(new) else new

    def _too_much(self, text: str) -> bool:
        """Whether a text repeats itself too much, the loops aside that are meant."""
        p = self.params
        if len(token_hashes([text]).hashes) < p.least_tokens:
            return False
        said = collapse_loops(text, p.times, everything=True)
        return float(ngram_repetition([said], p.ngram)[0]) > p.max_ratio
