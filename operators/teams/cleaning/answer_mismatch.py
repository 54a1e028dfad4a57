"""Drops records whose answer belongs to another question."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from operators.data.records import Record
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params, to_process

_BINS = 20
_BLOCK = 4096
_SAME = 0.999
_FOREIGN = 1024
_FEWEST = 40
_MOST_FOREIGN = 0.5
"""Share of foreign answers from which on the similarities are taken for blind to what fits, as those of an English
embedding model are in other languages: right pairs look like random ones then."""
_SPELLING = 1.5
"""Weight of shared spelling beside the embeddings' cosine. Terms an embedding model never met still share a stem
with their answer (hypophosphaturia, phosphate): of 600 right pairs of the example set it saves every second one
of those that look foreign."""
_NGRAM, _FEATURES = 4, 1 << 20
_READ = 2000
"""Characters of a text whose spelling is compared."""


class AnswerMismatchParams(Params):
    """Parameters of `answer_mismatch`."""

    min_probability: float = Field(
        0.5, gt=0, le=1, description="Drop a record whose answer is foreign with this probability at least"
    )
    min_p_value: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Keep a pair that fits better than all but this share of random pairs do",
    )
    questions: int = Field(
        512, ge=32, le=8192, description="Random other questions (and answers) each pair is compared with"
    )


class AnswerMismatch(Operator[AnswerMismatchParams]):
    """Compares how close an answer is to its own question with how close it is to random other ones.

    For each record the similarity of question and answer (cosine of the embeddings, and of the character n-grams
    weighted by rarity) is ranked among those of its answer with random questions of the set, and among those of
    its question with random answers. The smaller rank gives a p-value, uniform for a foreign answer, near 0 for
    a right one. How many answers are foreign is estimated from the p-values above 1/2 (Storey 2002), and a record
    is dropped where the local false discovery rate (Efron 2004) says it is foreign with `min_probability`. Terms
    the embedding model does not know look foreign too; `min_p_value` keeps the doubtful ones. Where more than half
    of the answers seem foreign, as in a language that the model cannot read or where all questions are the same,
    it cannot tell, and drops nothing. Honours the quality flag: clean records are neither embedded nor dropped.
    """

    name = "answer_mismatch"
    team = Team.CLEANING
    version = 3
    params_type = AnswerMismatchParams
    flagged_only = True

    def apply(self, records: list[Record], context: Context) -> list[Record]:
        index = [i for i, r in enumerate(records) if to_process(r) and _asked(r).strip() and r.answer.strip()]
        if len(index) < _FEWEST:
            self.count("too_few_to_judge", len(index))
            return records
        p = self._p_values([records[i] for i in index], records, context)
        if share_of_foreign(p) > _MOST_FOREIGN:
            self.count("cannot_tell", len(index))
            return records
        foreign = (foreign_probability(p) >= self.params.min_probability) & (p >= self.params.min_p_value)
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
        spelled = _spelling(texts)
        n, m = len(pairs), len(sample)
        cuts = [0, n, 2 * n, 2 * n + m, len(texts)]
        sides = [Side(vectors[a:b], spelled[a:b]) for a, b in pairwise(cuts)]
        return mismatch_p_values(*sides)


class Side(NamedTuple):
    """Some texts: embeddings (n, d) of unit length, and sparse n-gram weights (n, f) of unit length or None."""

    vectors: NDArray[np.float32]
    spelling: Any = None

    def part(self, places: slice) -> Side:
        """Some of the texts."""
        return Side(self.vectors[places], None if self.spelling is None else self.spelling[places])

    def similarity_in_pairs(self, other: Side) -> NDArray[np.float32]:
        """Of each text here with the one in its place in `other`, shape (n,)."""
        dense = (self.vectors * other.vectors).sum(axis=1)
        if self.spelling is None:
            return np.asarray(dense)
        return np.asarray(
            dense + _SPELLING * np.asarray(self.spelling.multiply(other.spelling).sum(axis=1)).ravel()
        )

    def similarity(self, other: Side) -> NDArray[np.float32]:
        """Of each text here with each of `other`, shape (n, m)."""
        dense = self.vectors @ other.vectors.T
        if self.spelling is None:
            return dense
        return np.asarray(dense + _SPELLING * (self.spelling @ other.spelling.T).toarray())


def mismatch_p_values(asked: Side, answers: Side, other_asked: Side, other_answers: Side) -> NDArray[np.float64]:
    """How unusual it would be for a foreign answer to fit its question this well, shape (n,), in (0, 1].

    `asked` and `answers` are the pairs, `other_*` the random ones. A text that equals the pair's own is no other
    one and is left out. Of the two ranks, against other answers and against other questions, the smaller counts:
    a question that resembles many answers still tells its own. What ranks foreign pairs have is seen on the
    random ones, each question with each answer that is not its own.
    """
    foreign_ranks = _foreign_ranks(other_asked, other_answers)
    result = np.ones(len(asked.vectors))
    for start in range(0, len(result), _BLOCK):
        q, a = (side.part(slice(start, start + _BLOCK)) for side in (asked, answers))
        own = q.similarity_in_pairs(a)[:, None]
        smaller = np.ones(len(own))
        for mine, fixed, others in ((q, a, other_asked), (a, q, other_answers)):
            foreign = mine.vectors @ others.vectors.T < _SAME
            above = ((fixed.similarity(others) >= own) & foreign).sum(axis=1)
            smaller = np.minimum(smaller, (1 + above) / (1 + foreign.sum(axis=1)))
        below = np.searchsorted(foreign_ranks, smaller, "right")
        result[start : start + _BLOCK] = (1 + below) / (1 + len(foreign_ranks))
    return result


def _foreign_ranks(asked: Side, answers: Side) -> NDArray[np.float64]:
    """The smaller rank of every foreign pair among some texts, as shares in (0, 1], sorted."""
    few = slice(0, _FOREIGN)
    q, a = asked.part(few), answers.part(few)
    similarity = q.similarity(a)
    ranks = [(-similarity).argsort(axis=axis).argsort(axis=axis) + 1 for axis in (0, 1)]
    foreign = (q.vectors @ q.vectors.T < _SAME) & (a.vectors @ a.vectors.T < _SAME)
    return np.sort(np.minimum(*ranks)[foreign] / (1 + len(similarity)))


def share_of_foreign(p: NDArray[np.float64]) -> float:
    """pi0, estimated as the density of p-values above 1/2, where right pairs hardly are."""
    return min(1.0, float((p > 0.5).mean()) * 2)


def foreign_probability(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability of each pair to be foreign, given all p-values: pi0 / density.

    Right pairs have small p, so the density falls: of all that do, the nearest to the histogram (Grenander 1956),
    which leaves no gap where a small set has no p-value by chance.
    """
    from sklearn.isotonic import IsotonicRegression

    counts, edges = np.histogram(p, _BINS, (0, 1))
    density = counts / len(p) * _BINS
    falling = IsotonicRegression(increasing=False).fit_transform(np.arange(_BINS), density)
    by_bin = np.minimum(1.0, share_of_foreign(p) / np.maximum(falling, 1e-12))
    return np.asarray(by_bin[np.clip(np.searchsorted(edges, p, "left") - 1, 0, _BINS - 1)])


def _asked(record: Record) -> str:
    """What the user said before the answer, all turns of it."""
    return "\n".join(m.content for m in record.messages if m.role == "user")


def _spelling(texts: list[str]) -> Any:
    """Weights of each text's character n-grams within words, rare ones weighing more (TF-IDF), of unit length:
    sparse, shape (n, f)."""
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    counted = HashingVectorizer(
        analyzer="char_wb", ngram_range=(_NGRAM, _NGRAM), n_features=_FEATURES, alternate_sign=False, norm=None
    ).transform([t[:_READ] for t in texts])
    return TfidfTransformer(sublinear_tf=True).fit_transform(counted).astype(np.float32)
