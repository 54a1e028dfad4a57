"""Removes records from which the model could learn an evaluation question or its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from operators.data.records import Record, Role
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params
from operators.text.containment import References


class DecontaminateParams(Params):
    """Parameters of `decontaminate`."""

    threshold: float = Field(
        0.7,
        gt=0,
        le=1,
        description="Jaccard similarity of two questions, or share of an evaluation text found in a turn, from "
        "which a record is dropped",
    )
    ngram: int = Field(
        5, ge=1, le=32, description="Tokens a shingle: words, or characters in unspaced scripts (Chinese, Thai)"
    )
    least_question: int = Field(
        3, ge=1, le=1000, description='Tokens of the shortest question compared: "Yes, please." is nobody\'s copy'
    )
    least_text: int = Field(
        13,
        ge=1,
        le=1000,
        description="Tokens of the shortest evaluation question or answer looked for inside turns",
    )
    answers: bool = Field(True, description="Look for the evaluation answers too, not only for the questions")


class Decontaminate(Operator[DecontaminateParams]):
    """Drops what repeats an evaluation record of any split: its question asked again in any user turn, or its
    question or answer standing inside some turn.

    Exact, over shingles that suit the script (13 tokens as the shortest text looked for: Brown et al. 2020,
    appendix C). Words that many evaluation records share weigh little, so one template filled in for another
    topic is no copy. Each record is judged alone: neither the order nor the other records matter. Touches all
    records, clean ones too: a leak is not a matter of quality.
    """

    name = "decontaminate"
    team = Team.CLEANING
    params_type = DecontaminateParams
    rowwise = True

    def apply(self, records: list[Record], context: Context) -> list[Record]:
        if not context.held_out or not records:
            return records
        context.progress(self.name, 0, len(records))
        p, held_out = self.params, context.held_out
        asked = _any_turn(
            records,
            References([r.question for r in held_out], p.ngram, least_tokens=p.least_question).jaccard,
            p.threshold,
            role="user",
        )
        texts = [r.question for r in held_out] + ([r.answer for r in held_out] if p.answers else [])
        told = _any_turn(records, References(texts, p.ngram, least_tokens=p.least_text).containment, p.threshold)
        self.count("asks_an_evaluation_question", int(asked.sum()))
        self.count("contains_an_evaluation_text", int((told & ~asked).sum()))
        return [r for r, bad in zip(records, asked | told, strict=True) if not bad]


def _any_turn(
    records: Sequence[Record],
    similarity: Callable[[Sequence[str]], NDArray[np.float64]],
    threshold: float,
    *,
    role: Role | None = None,
) -> NDArray[np.bool_]:
    """Whether any turn (of that role) of each record is as similar as that, shape (n,)."""
    turns = [(i, m.content) for i, r in enumerate(records) for m in r.messages if role is None or m.role == role]
    result = np.zeros(len(records), np.bool_)
    close = similarity([text for _, text in turns]) >= threshold
    result[[i for (i, _), bad in zip(turns, close.tolist(), strict=True) if bad]] = True
    return result
