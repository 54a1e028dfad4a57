"""What the classifier sees of a record's place in its set: does its answer fit its question better than others
would, do alike questions have alike answers, does an earlier record say the same?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from operators.targeting.corruptions import Sides
from operators.targeting.features import Grams, SetStatistics

NAMES = (
    "similarity",
    "similarity_centred",
    "question_rank",
    "answer_rank",
    "question_score",
    "answer_score",
    "answers_agree",
    "questions_agree",
    "nearest_answer",
    "copy_of_earlier",
    "copy_of_any",
    "same_question",
)
_NEIGHBOURS = 8
_OTHERS = 1000
"""Records whose questions and answers a pair is compared with for its rank."""


class Relations:
    """A set's embeddings of whole records, questions and answers (unit rows, each of shape (n, d)), prepared
    for `features`. Neighbours are searched among the records that `stats` knows."""

    def __init__(
        self, whole: np.ndarray, questions: np.ndarray, answers: np.ndarray, stats: SetStatistics, seed: int
    ) -> None:
        self._stats = stats
        self._plain = questions, answers
        self._q, self._a = _centred(questions), _centred(answers)
        known = np.array(sorted(stats.answers))
        self._others = np.random.default_rng(seed).permutation(known)[:_OTHERS]
        self._like = _neighbours(whole, known)
        self._like_question = _neighbours(self._q, known)
        self._like_answer = _neighbours(self._a, known)

    def features(self, sides: Sequence[Sides], asked: Sequence[Grams], answered: Sequence[Grams]) -> np.ndarray:
        """Float64 of shape (len(sides), len(NAMES)), NaN where a side is empty. `asked` and `answered` are the
        grams of the two sides."""
        found = np.hstack([self._fit(sides), np.zeros((len(sides), 6))])
        for i, each in enumerate(sides):
            found[i, 6:] = self._neighbourhood(each, asked[i], answered[i])
            if not each.question.strip() or not each.answer.strip():
                found[i, : NAMES.index("copy_of_earlier")] = np.nan
        return found

    def _fit(self, sides: Sequence[Sides]) -> np.ndarray:
        """Similarity of question and answer, plain and with the set's means removed; the share of other
        questions and answers that would fit better; and the distance from their mean in standard deviations."""
        asker = np.array([s.asker for s in sides])
        answerer = np.array([s.answerer for s in sides])
        q, a, others = self._q[asker], self._a[answerer], self._others
        own = (others == asker[:, None]) | (others == answerer[:, None])
        similarity = np.einsum("ij,ij->i", q, a)
        found = np.empty((len(sides), 6))
        found[:, 0] = np.einsum("ij,ij->i", self._plain[0][asker], self._plain[1][answerer])
        found[:, 1] = similarity
        for column, rivals in ((2, a @ self._q[others].T), (3, q @ self._a[others].T)):
            rival = np.ma.array(rivals, mask=own)
            found[:, column] = (rival > similarity[:, None]).mean(axis=1).filled(0)
            spread = np.maximum(rival.std(axis=1).filled(1), 1e-6)
            found[:, column + 2] = (similarity - rival.mean(axis=1).filled(0)) / spread
        return found

    def _neighbourhood(self, sides: Sides, asked: Grams, answered: Grams) -> list[float]:
        # A damaged record takes its source's place in the set; an added copy joins it.
        own = {sides.asker, sides.answerer}
        ask = [i for i in self._like_question[sides.asker] if i not in own]
        say = [i for i in self._like_answer[sides.answerer] if i not in own]
        like = [i for i in self._like[sides.asker] if i not in own]
        earlier = {i for i in like if i < sides.asker}
        if sides.copy and sides.asker in self._stats.answers:
            like = [sides.asker, *like]
            earlier = set(like)
        overlap = {i: _jaccard(answered, self._stats.answers[i]) for i in like}
        q, a = self._q[sides.asker], self._a[sides.answerer]
        return [
            float((self._a[ask] @ a).mean()) if ask else np.nan,
            float((self._q[say] @ q).mean()) if say else np.nan,
            float((self._a[say] @ a).max()) if say else np.nan,
            max((overlap[i] for i in earlier), default=0.0),
            max(overlap.values(), default=0.0),
            max((_jaccard(asked, self._stats.questions[i]) for i in earlier), default=0.0),
        ]


def _jaccard(a: Grams, b: Grams) -> float:
    common = len(a.trigrams & b.trigrams) + len(a.characters & b.characters)
    both = len(a.trigrams) + len(a.characters) + len(b.trigrams) + len(b.characters) - common
    return common / max(1, both)


def _centred(rows: np.ndarray) -> np.ndarray:
    there = rows.any(axis=1, keepdims=True)  # an empty side has no direction
    moved = (rows - rows.mean(axis=0, where=there)) * there if there.any() else rows
    return moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)


def _neighbours(rows: np.ndarray, known: np.ndarray) -> list[list[int]]:
    """For every row the places of the nearest other ones among `known`, by inner product, nearest first."""
    import faiss

    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(np.ascontiguousarray(rows[known], np.float32))
    _, found = index.search(np.ascontiguousarray(rows, np.float32), min(len(known), _NEIGHBOURS + 1))
    # Among equal rows a row need not find itself first, nor at all.
    return [[int(i) for i in known[near] if i != row][:_NEIGHBOURS] for row, near in enumerate(found)]
