"""What the classifier sees of a record's place in its set: does its answer fit its question better than others
would, do alike questions have alike answers, which records are like it?"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import ThreadpoolController

from operators.targeting.corruptions import Sides
from operators.targeting.features import Near

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
)
_NEIGHBOURS = 8
_NOBODY = -1
_BLOCK = 1 << 12
"""Rows whose neighbours are searched at once."""
_EQUAL = 1e-5
"""Similarities closer than this are the same: those of a text and its copy come from different sums."""
_OTHERS = 1000
"""Records whose questions and answers a pair is compared with for its rank."""


class Relations:
    """A set's embeddings of whole records, questions and answers (unit rows, each of shape (n, d)), prepared
    for `features`. Neighbours are searched among the `known` places, in rising order."""

    def __init__(
        self, whole: np.ndarray, questions: np.ndarray, answers: np.ndarray, known: np.ndarray, seed: int
    ) -> None:
        self._known = frozenset(known.tolist())
        self._plain = questions, answers
        self._q, self._a = _centred(questions), _centred(answers)
        self._others = np.random.default_rng(seed).permutation(known)[:_OTHERS]
        self._threads = ThreadpoolController()
        self._rivals = self._q[self._others].T, self._a[self._others].T
        self._like = _neighbours(whole, known)
        self._like_question = _neighbours(self._q, known)
        self._like_answer = _neighbours(self._a, known)

    def features(self, sides: Sequence[Sides]) -> np.ndarray:
        """Float64 of shape (len(sides), len(NAMES)), NaN where a side is empty."""
        found = np.hstack([self._fit(sides), self._agreement(sides)])
        found[[not (each.question.strip() and each.answer.strip()) for each in sides]] = np.nan
        return found

    def near(self, sides: Sides) -> Near:
        """The known records most like this one. A damaged record takes its source's place in the set; an added
        copy comes after all that is like it."""
        like = [i for i in self._like[sides.asker].tolist() if i not in (_NOBODY, sides.asker, sides.answerer)]
        if sides.copy and sides.asker in self._known:
            return Near([sides.asker, *like], [])
        return Near([i for i in like if i < sides.asker], [i for i in like if i > sides.asker])

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
        of_questions, of_answers = self._rivals
        with self._threads.limit(limits=1, user_api="blas"):  # with more, the last bits depend on their number
            products = (2, a @ of_questions), (3, q @ of_answers)
        for column, rivals in products:
            found[:, column], found[:, column + 2] = _standing(similarity, rivals, own)
        return found

    def _agreement(self, sides: Sequence[Sides]) -> np.ndarray:
        """How alike the answers to like questions are, and the questions of like answers; and how alike the
        answer is to the nearest other one."""
        asker = np.array([s.asker for s in sides])
        answerer = np.array([s.answerer for s in sides])
        q, a = self._q[asker], self._a[answerer]

        def similarities(like: np.ndarray, sought: np.ndarray, vectors: np.ndarray) -> np.ma.MaskedArray:
            others = (like == _NOBODY) | (like == asker[:, None]) | (like == answerer[:, None])
            return np.ma.array(np.einsum("ikd,id->ik", vectors[like], sought), mask=others)

        ask, say = self._like_question[asker], self._like_answer[answerer]
        found = [
            similarities(ask, a, self._a).mean(axis=1),
            similarities(say, q, self._q).mean(axis=1),
            similarities(say, a, self._a).max(axis=1),
        ]
        return np.column_stack([np.ma.filled(each.astype(np.float64), np.nan) for each in found])


def _standing(value: np.ndarray, rivals: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each value, shape (n,), the share of its rivals above it, and its distance from their mean in standard
    deviations; `rivals` of shape (n, m) without those that are its `own`."""
    share, distance = _standing_among(value, rivals)
    some = own.any(axis=1)  # few rows of a large set, and arithmetic without a mask is several times faster
    share[some], distance[some] = _standing_among(value[some], np.ma.array(rivals[some], mask=own[some]))
    return share, distance


def _standing_among(value: np.ndarray, rivals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both 0 where there is no rival."""
    share = np.ma.filled((rivals > value[:, None] + _EQUAL).mean(axis=1), 0)
    spread = np.maximum(np.ma.filled(rivals.std(axis=1), 1), 1e-6)
    distance = (value - np.ma.filled(rivals.mean(axis=1), 0)) / spread
    return share.astype(np.float64), distance.astype(np.float64)


def _centred(rows: np.ndarray) -> np.ndarray:
    there = rows.any(axis=1, keepdims=True)  # an empty side has no direction
    moved = (rows - rows.mean(axis=0, where=there)) * there if there.any() else rows
    return moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)


def _neighbours(rows: np.ndarray, known: np.ndarray) -> np.ndarray:
    """For every row the places of the nearest other ones among `known`, by inner product, nearest first: int32 of
    shape (n, _NEIGHBOURS), `_NOBODY` where there are fewer."""
    import faiss

    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(np.ascontiguousarray(rows[known], np.float32))
    found = np.full((len(rows), _NEIGHBOURS), _NOBODY, np.int32)

    def search(start: int) -> None:
        part = rows[start : start + _BLOCK]
        _, near = index.search(np.ascontiguousarray(part, np.float32), min(len(known), _NEIGHBOURS + 1))
        places = known[near]
        # Among equal rows a row need not find itself first, nor at all.
        own = places == np.arange(start, start + len(part))[:, None]
        order = np.argsort(own, axis=1, kind="stable")[:, :_NEIGHBOURS]
        places = np.where(own, _NOBODY, places)
        found[start : start + len(part), : order.shape[1]] = np.take_along_axis(places, order, axis=1)

    # Which of two equally near records comes first hangs on the last bits, and these on how many threads share a
    # product: so none is shared, and each thread takes blocks of its own.
    cores = faiss.omp_get_max_threads()
    with ThreadPoolExecutor(cores, initializer=faiss.omp_set_num_threads, initargs=(1,)) as threads:
        list(threads.map(search, range(0, len(rows), _BLOCK)))
    return found
