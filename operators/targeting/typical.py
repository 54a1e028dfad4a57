"""Which records of a set are ordinary: the negatives that learning without labels starts from."""

from __future__ import annotations

import numpy as np

from operators.targeting.matrix import Matrix

_MORE_IS_WORSE = frozenset(
    {
        "markup",
        "addresses",
        "symbols",
        "controls",
        "mixed_words",
        "repeated_pairs",
        "longest_run",
        "top_word",
        "spacing",
        "rarity",
        "rarity_high",
        "rarest_character",
        "rare_characters",
        "end_dots",
        "scripts",
        "longest_word",
        "question_rank",
        "answer_rank",
        "copy_of_earlier",
        "unknown_words",
    }
)
_LESS_IS_WORSE = frozenset(
    {
        "distinct_words",
        "letters",
        "similarity",
        "similarity_centred",
        "question_score",
        "answer_score",
        "answers_agree",
        "questions_agree",
        "shared",
        "last_word_ends",
        "last_word_known",
    }
)


def extremeness(matrix: Matrix) -> np.ndarray:
    """How far out a record lies, in [0, 1): shape (n,).

    Of every feature that has a bad direction, the share of records that are better; of these shares, the mean of
    the three highest. Depends on ranks only, so no feature needs a scale. Missing values count as best.
    """
    signs = np.array([_direction(name) for name in matrix.names])
    directed = matrix.records[:, signs != 0] * signs[signs != 0]
    shares = np.empty_like(directed)
    for i, column in enumerate(directed.T):
        known = np.where(np.isnan(column), -np.inf, column)
        shares[:, i] = np.searchsorted(np.sort(known), known, side="left") / len(known)
    return np.asarray(np.sort(shares, axis=1)[:, -3:].mean(axis=1))


def _direction(name: str) -> int:
    bare = name.removeprefix("question_").removeprefix("answer_")
    if name in _MORE_IS_WORSE or bare in _MORE_IS_WORSE:
        return 1
    return -1 if name in _LESS_IS_WORSE or bare in _LESS_IS_WORSE else 0
