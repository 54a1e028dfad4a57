"""Which records of a set are ordinary and which stand out: what learning without labels starts from."""

from __future__ import annotations

import numpy as np

from operators.targeting.matrix import Matrix

_ENOUGH = 10
"""Typical records with a value, for a feature to tell who stands out."""
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
        "answer_length",
        "answer_words",
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
    directed = _directed(matrix)
    shares = np.empty_like(directed)
    for i, column in enumerate(directed.T):
        known = np.where(np.isnan(column), -np.inf, column)
        shares[:, i] = np.searchsorted(np.sort(known), known, side="left") / len(known)
    return np.asarray(np.sort(shares, axis=1)[:, -3:].mean(axis=1))


def outlyingness(matrix: Matrix, typical: np.ndarray) -> np.ndarray:
    """How far beyond the typical records a record lies in its worst feature that has a bad direction: shape (n,).

    The unit is the distance from the median of the typical records to their 95th percentile. `typical` is a mask
    of shape (n,). Missing values lie nowhere.
    """
    found = np.zeros(len(matrix.records))
    for column in _directed(matrix).T:
        ordinary = column[typical & ~np.isnan(column)]
        if len(ordinary) < _ENOUGH:
            continue
        middle, high = np.quantile(ordinary, [0.5, 0.95])
        # A feature that never varies among the typical makes any change a large one, but not an infinite one.
        unit = max(high - middle, 1e-3 * max(1.0, abs(middle)))
        found = np.maximum(found, np.nan_to_num((column - middle) / unit, nan=0.0))
    return found


def _directed(matrix: Matrix) -> np.ndarray:
    """The features that have a bad direction, turned so that more is worse."""
    signs = np.array([_direction(name) for name in matrix.names])
    return np.asarray(matrix.records[:, signs != 0] * signs[signs != 0])


def _direction(name: str) -> int:
    bare = name.removeprefix("question_").removeprefix("answer_")
    if name in _MORE_IS_WORSE or bare in _MORE_IS_WORSE:
        return 1
    return -1 if name in _LESS_IS_WORSE or bare in _LESS_IS_WORSE else 0
