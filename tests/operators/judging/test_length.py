import numpy as np
import pytest

from operators.judging.length import length_controlled


def test_a_score_made_by_length_alone_is_taken_back():
    rng = np.random.default_rng(0)
    extra = rng.normal(40, 60, 400)  # the trial writes more
    outcomes = np.where(rng.random(400) < 1 / (1 + np.exp(-3 * np.tanh(extra / 60))), 1.0, -1.0)
    assert outcomes.mean() > 0.3
    assert abs(length_controlled(outcomes, extra)) < 0.15


def test_a_score_that_length_does_not_explain_stays():
    rng = np.random.default_rng(1)
    extra = rng.normal(0, 60, 400)
    outcomes = np.where(rng.random(400) < 0.75, 1.0, -1.0)
    assert length_controlled(outcomes, extra) == pytest.approx(outcomes.mean(), abs=0.05)


def test_half_wins_count_as_halves():
    rng = np.random.default_rng(2)
    extra = rng.normal(0, 60, 300)
    assert length_controlled([0.5] * 300, extra) == pytest.approx(0.5, abs=0.02)
    assert abs(length_controlled(rng.choice([0.5, -0.5], 300), extra)) < 0.1


def test_swapping_the_sides_swaps_the_sign():
    rng = np.random.default_rng(3)
    extra, outcomes = rng.normal(20, 60, 100), rng.choice([1.0, 0.0, -1.0], 100)
    assert length_controlled(-outcomes, -extra) == pytest.approx(-length_controlled(outcomes, extra), abs=1e-3)


@pytest.mark.parametrize("outcomes", [[0.0] * 5, [1.0] * 5, [-1.0] * 5])
def test_without_anything_to_explain_the_score_is_the_raw_one(outcomes):
    assert length_controlled(outcomes, [3, -2, 1, 0, 5]) == outcomes[0]


def test_equal_lengths_leave_the_raw_score():
    assert length_controlled([1.0, 0.0, -1.0, 1.0], [7, 7, 7, 7]) == 0.25


def test_different_numbers_are_an_error():
    with pytest.raises(ValueError, match="2 outcomes for 1"):
        length_controlled([1.0, 0.0], [3])
