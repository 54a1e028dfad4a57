"""Removes records that nearly repeat another one."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from operators.data.records import Record
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params
from operators.teams.cleaning.keeping import Turns, keep_order
from operators.text.near_duplicates import near_duplicates
from operators.text.shingles import Shingling


class NearDuplicatesParams(Params):
    """Parameters of `near_duplicates`."""

    threshold: float = Field(0.7, gt=0, le=1, description="Jaccard similarity from which two records are one")
    permutations: int = Field(128, ge=16, le=1024, description="MinHash permutations")
    ngram: int = Field(
        3,
        ge=1,
        le=32,
        description="Tokens a shingle: words, or characters in unspaced scripts (Chinese, Thai)",
    )
    question_similarity: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Records whose questions agree less (in their words, rare ones weighing more) are no "
        "duplicates, however alike the template; 0: any",
    )
    keep: Literal["first", "best"] = Field(
        "best",
        description="Which of a group stays: the first, or the clean one, then the most careful, then the longest",
    )


class NearDuplicates(Operator[NearDuplicatesParams]):
    """MinHash LSH over shingles that suit the script; every removal is confirmed by exact Jaccard similarity.

    Compared are the user and assistant turns: a system prompt shared by all records makes no duplicates, and
    neither does a template filled in for another topic (`question_similarity`), nor do the same words with other
    signs (-2.5 and +2.5, HBsAg (+) and (-), C++ and C#). A record is dropped only for one that stays, so
    similarity does not chain. The quality flag only ranks copies (`keep`): a clean copy is a copy too. Copies of
    evaluation records are the work of `decontaminate`.
    """

    name = "near_duplicates"
    team = Team.CLEANING
    version = 4
    params_type = NearDuplicatesParams

    def apply(self, records: list[Record], context: Context) -> list[Record]:  # noqa: ARG002
        p = self.params
        order = keep_order(records, p.keep)
        ranked = [records[i] for i in order]
        owner = near_duplicates(
            Turns(ranked),
            Shingling(p.threshold, p.ngram, p.permutations, signs=True),
            topics=Turns(ranked, ("user",)) if p.question_similarity else None,
            topic_similarity=p.question_similarity,
        )
        kept = sorted(order[np.flatnonzero(owner < 0)])
        self.count("near_duplicates", len(records) - len(kept))
        return [records[i] for i in kept]
