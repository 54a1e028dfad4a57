"""Drops records whose answer belongs to another question."""

from __future__ import annotations

from random import Random

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from operators.data.records import Record
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params, to_process

_BINS = 20
_BLOCK = 4096
_FEWEST = 40


class AnswerMismatchParams(Params):
    """Parameters of `answer_mismatch`."""

    min_probability: float = Field(
        0.5, gt=0, le=1, description="Drop a record whose answer is foreign with this probability at least"
    )
    questions: int = Field(
        512, ge=32, le=8192, description="Random other questions (and answers) each pair is compared with"
    )


class AnswerMismatch(Operator[AnswerMismatchParams]):
    """Compares how close an answer is to its own question with how close it is to random other ones.

    For each record the cosine similarity of question and answer is ranked among those of its answer with
    random questions of the set and of its question with random answers: a p-value, uniform for a foreign
    answer, near 0 for a right one. How many answers are foreign is estimated from the p-values above 1/2
    (Storey 2002), and a record is dropped where the local false discovery rate (Efron 2004) says it is foreign
    with `min_probability`. So the threshold follows from the set: nothing to set, and nothing is dropped where
    all pairs fit. Honours the quality flag: clean records are neither embedded nor dropped.
    """

    name = "answer_mismatch"
    team = Team.CLEANING
    params_type = AnswerMismatchParams
    flagged_only = True

    def apply(self, records: list[Record], context: Context) -> list[Record]:
        index = [i for i, r in enumerate(records) if to_process(r) and _asked(r).strip() and r.answer.strip()]
        if len(index) < _FEWEST:
            self.count("too_few_to_judge", len(index))
            return records
        p = self._p_values([records[i] for i in index], records, context)
        foreign = foreign_probability(p) >= self.params.min_probability
        dropped = {i for i, bad in zip(index, foreign, strict=True) if bad}
        self.count("mismatched", len(dropped))
        return [r for i, r in enumerate(records) if i not in dropped]

    def _p_values(self, pairs: list[Record], records: list[Record], context: Context) -> NDArray[np.float64]:
        from operators.embedding import embed

        whole = [r for r in records if _asked(r).strip() and r.answer.strip()]
        sample = Random(context.seed).sample(whole, min(self.params.questions, len(whole)))
        texts = [_asked(r) for r in pairs] + [r.answer for r in pairs]
        texts += [_asked(r) for r in sample] + [r.answer for r in sample]
        vectors = embed(texts, context.embedder, progress=context.progress)
        n, m = len(pairs), len(sample)
        asked, answers, other_asked, other_answers = np.split(vectors, [n, 2 * n, 2 * n + m])
        return mismatch_p_values(asked, answers, other_asked, other_answers)


def mismatch_p_values(
    asked: NDArray[np.float32],
    answers: NDArray[np.float32],
    other_asked: NDArray[np.float32],
    other_answers: NDArray[np.float32],
) -> NDArray[np.float64]:
    """How unusual it would be for a foreign answer to fit its question this well, shape (n,), in (0, 1].

    `asked` and `answers` (n, d) are the pairs, `other_*` (m, d) the random texts, all of unit length. A text
    that equals the pair's own is no other one and is left out.
    """
    result = np.ones(len(asked))
    for start in range(0, len(asked), _BLOCK):
        q, a = asked[start : start + _BLOCK], answers[start : start + _BLOCK]
        own = (q * a).sum(axis=1, keepdims=True)
        above, total = np.zeros(len(q)), np.zeros(len(q))
        for mine, fixed, others in ((q, a, other_asked), (a, q, other_answers)):
            foreign = mine @ others.T < 0.999
            above += ((fixed @ others.T >= own) & foreign).sum(axis=1)
            total += foreign.sum(axis=1)
        result[start : start + _BLOCK] = (1 + above) / (1 + total)
    return result


def foreign_probability(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability of each pair to be foreign, given all p-values: pi0 / density, made monotone in p.

    pi0, the share of foreign pairs, is the density of p-values above 1/2, where right pairs hardly are.
    """
    pi0 = min(1.0, float((p > 0.5).mean()) * 2)
    counts, edges = np.histogram(p, _BINS, (0, 1))
    density = counts / len(p) * _BINS
    # Right pairs have small p: the density falls, up to noise.
    falling = np.minimum.accumulate(np.maximum(density, 1e-12))
    by_bin = np.minimum(1.0, pi0 / falling)
    return np.asarray(by_bin[np.clip(np.searchsorted(edges, p, "left") - 1, 0, _BINS - 1)])


def _asked(record: Record) -> str:
    """What the user said before the answer, all turns of it."""
    return "\n".join(m.content for m in record.messages if m.role == "user")
