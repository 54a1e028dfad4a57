"""The cache of training answers that a frozen model is interpolated with."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.cache_model import AnswerCache, answer_positions
from operators.training.tokens import IGNORE, Example

WORDS = 7


def example(ids: list[int], prompt: int) -> Example:
    return Example(ids, [IGNORE] * prompt + ids[prompt:])


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, WORDS - 1), min_size=5, max_size=12), max_size=5),
    st.lists(st.integers(0, WORDS - 1), min_size=3, max_size=6),
)
def test_probabilities_sum_to_one(answers: list[list[int]], context: list[int]) -> None:
    cache = AnswerCache([example(ids, 3) for ids in answers], WORDS)
    assert sum(cache.probability(context, w) for w in range(WORDS)) == pytest.approx(1)


def test_what_was_seen_is_likelier() -> None:
    cache = AnswerCache([example([0, 1, 2, 3, 4, 5], 3)], WORDS)
    assert cache.probability([2, 3], 4) > cache.probability([2, 3], 5) > cache.probability([2, 3], 6)
    assert answer_positions(example([0, 1, 2, 3, 4, 5], 4)) == [4, 5]
