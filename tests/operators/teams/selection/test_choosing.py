"""The rules by which similarities become a choice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.teams.selection.k_center import farthest_first
from operators.teams.selection.turns import take_turns


def unit(rows):
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_each_question_takes_its_nearest_record_not_yet_taken():
    similarity = np.array([[0.9, 0.8], [0.7, 0.6], [0.1, 0.5], [0.2, 0.2], [np.nan, np.nan]])
    assert take_turns(similarity, 4) == [0, 1, 3, 2]  # 0 is the nearest of both, so the second takes 1
    assert take_turns(similarity, 5)[-1] == 4


@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 30), questions=st.integers(1, 6), share=st.floats(0.05, 1), seed=st.integers(0, 99))
def test_every_question_has_its_turn(n, questions, share, seed):
    similarity = np.random.default_rng(seed).random((n, questions))
    keep = max(1, int(share * n))
    chosen = take_turns(similarity, keep)
    assert len(chosen) == len(set(chosen)) == keep
    for turn, row in enumerate(chosen):
        left = np.setdiff1d(np.arange(n), chosen[:turn])
        assert similarity[row, turn % questions] == similarity[left, turn % questions].max()


def radius(vectors, chosen):
    """Largest distance of any row to its nearest chosen one."""
    return np.sqrt(np.maximum(2 - 2 * (vectors @ vectors[chosen].T).max(axis=1), 0)).max()


@settings(max_examples=25, deadline=None)
@given(n=st.integers(2, 9), keep=st.integers(1, 4), seed=st.integers(0, 99))
def test_no_row_is_farther_than_twice_the_least_possible(n, keep, seed):
    from itertools import combinations

    keep = min(keep, n)
    vectors = unit(np.random.default_rng(seed).normal(size=(n, 3)))
    chosen = farthest_first(vectors, keep)
    assert len(chosen) == len(set(chosen)) == keep
    best = min(radius(vectors, list(c)) for c in combinations(range(n), keep))
    assert radius(vectors, chosen) <= 2 * best + 1e-3


@pytest.mark.parametrize("keep", [0, 1, 3])
def test_copies_are_chosen_once_each(keep):
    vectors = unit([[1, 0], [1, 0], [1, 0]])
    assert sorted(farthest_first(vectors, keep)) == list(range(keep))
