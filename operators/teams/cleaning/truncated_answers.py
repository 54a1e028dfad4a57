"""Repairs or removes answers that stop in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from operators.data.records import Record
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params, to_process
from operators.text.sentences import cut_to_sentence, is_complete, is_left_hanging
from operators.text.tokens import chunks, count_tokens, segment_hashes, token_hashes

_ENDING_TOKENS = 3
_USUAL = 3
_RARE = 0.05


class TruncatedAnswersParams(Params):
    """Parameters of `truncated_answers`."""

    norm: float = Field(
        0.6,
        ge=0.5,
        le=1,
        description="Share of long answers that end complete from which the rest is a fault",
    )
    least_tokens: int = Field(
        6,
        ge=1,
        le=1000,
        description='Shorter answers may be labels ("Paris"): only a hanging end ("...", "of the") counts there',
    )
    action: Literal["trim", "drop"] = Field(
        "trim", description="Cut back to the last complete sentence where enough is left, or drop the record"
    )
    least_kept: float = Field(
        0.5, gt=0, le=1, description="Share of the answer's characters that trimming must leave; else dropped"
    )


class TruncatedAnswers(Operator[TruncatedAnswersParams]):
    """Cuts last answers back that stop in mid-sentence or in "...", or drops their records.

    Complete means: ends in terminal punctuation of any script, in a code block, formula or table, in a value, a
    citation or a closed bracket, in an emoji or a placeholder, in a list whose items have no stops, or in words
    that several answers end in (a signature, a source). Thai and Lao, which write no stops, stay. Adapts to the
    set: where most long answers end without punctuation, that is its style and nothing is done; where hardly any
    are short, a short one without punctuation is judged if it is flagged.
    Honours the quality flag: clean records are not touched, but count for the norm.
    """

    name = "truncated_answers"
    team = Team.CLEANING
    version = 5
    params_type = TruncatedAnswersParams
    flagged_only = True

    def apply(self, records: list[Record], context: Context) -> list[Record]:  # noqa: ARG002
        p = self.params
        answers = [r.answer for r in records]
        long = count_tokens(answers) >= p.least_tokens
        complete = np.fromiter(map(is_complete, answers), np.bool_, len(records))
        if complete[long].sum() < p.norm * long.sum():
            self.count("style_without_punctuation")
            return records
        complete |= _usual_ending(answers)
        # Where hardly any answer is short, "Paris" is no style of the set: if flagged as well, it is cut off.
        no_labels = (~long).sum() <= _RARE * len(records)
        kept = []
        for record, whole, sentence in zip(records, complete.tolist(), long.tolist(), strict=True):
            judged = sentence or is_left_hanging(record.answer) or (no_labels and record.flagged is True)
            if whole or not to_process(record) or not judged or not record.answer.strip():
                kept.append(record)
                continue
            answer = cut_to_sentence(record.answer) if p.action == "trim" else ""
            if answer and len(answer) >= p.least_kept * len(record.answer.strip()):
                self.count("trimmed")
                kept.append(record.with_answer(answer))
            else:
                self.count("dropped")
        return kept


def _usual_ending(answers: Sequence[str]) -> NDArray[np.bool_]:
    """Whether an answer ends in words that others end in too, such as a signature or the name of the source:
    where a text is cut by accident, the words are any."""
    endings = np.zeros(len(answers), np.uint64)
    for start, run in chunks(answers):
        tokens = token_hashes(run)
        end = tokens.offsets[1:]
        first = np.maximum(end - _ENDING_TOKENS, tokens.offsets[:-1])
        endings[start : start + len(run)] = np.where(
            tokens.sizes > _ENDING_TOKENS, segment_hashes(tokens.hashes, first, end), 0
        )
    _, place, found = np.unique(endings, return_inverse=True, return_counts=True)
    return np.asarray((found[place] >= _USUAL) & (endings != 0))
