"""Repairs or removes answers that stop in the middle."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from operators.data.records import Record
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params, to_process
from operators.text.sentences import cut_to_sentence, is_complete
from operators.text.tokens import count_tokens


class TruncatedAnswersParams(Params):
    """Parameters of `truncated_answers`."""

    norm: float = Field(
        0.6,
        ge=0.5,
        le=1,
        description="Share of long answers that end complete from which the rest is a fault",
    )
    least_tokens: int = Field(
        8, ge=1, le=1000, description='Shorter answers are labels ("Paris", "yes") and are left alone'
    )
    action: Literal["trim", "drop"] = Field(
        "trim", description="Cut back to the last complete sentence where enough is left, or drop the record"
    )
    least_kept: float = Field(
        0.5, gt=0, le=1, description="Share of the answer's characters that trimming must leave; else dropped"
    )


class TruncatedAnswers(Operator[TruncatedAnswersParams]):
    """Cuts answers back that stop in mid-sentence or in "...", or drops them.

    Complete means: ends in terminal punctuation of any script, in a code block or table, or in a list whose
    items have none. Adapts to the set: where most long answers end without punctuation, that is its style and
    nothing is done. Honours the quality flag: clean records are not touched, but count for the norm.
    """

    name = "truncated_answers"
    team = Team.CLEANING
    params_type = TruncatedAnswersParams
    flagged_only = True

    def apply(self, records: list[Record], context: Context) -> list[Record]:  # noqa: ARG002
        p = self.params
        long = count_tokens([r.answer for r in records]) >= p.least_tokens
        cut = [bool(n) and not is_complete(r.answer) for r, n in zip(records, long, strict=True)]
        if sum(long) - sum(cut) < p.norm * sum(long):
            self.count("style_without_punctuation")
            return records
        kept = []
        for record, bad in zip(records, cut, strict=True):
            if not bad or not to_process(record):
                kept.append(record)
                continue
            answer = cut_to_sentence(record.answer) if p.action == "trim" else ""
            if answer and len(answer) >= p.least_kept * len(record.answer.strip()):
                self.count("trimmed")
                kept.append(record.with_answer(answer))
            else:
                self.count("dropped")
        return kept
