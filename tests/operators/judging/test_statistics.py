import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.judging.statistics import compare

outcomes = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=1, max_size=60)


@settings(max_examples=60, deadline=None)
@given(outcomes, st.integers(0, 5))
def test_parts_add_up_and_intervals_hold_the_estimate(values, seed):
    result = compare(values, resamples=300, seed=seed)
    assert result.win + result.tie + result.loss == pytest.approx(1)
    assert result.score == pytest.approx(np.mean(values))
    assert result.score_ci[0] - 1e-9 <= result.score <= result.score_ci[1] + 1e-9 or len(values) < 10
    assert -1 <= result.score_ci[0] <= result.score_ci[1] <= 1
    assert 0 <= result.win_rate_ci[0] <= result.win_rate_ci[1] <= 1
    assert compare(values, resamples=300, seed=seed) == result


@settings(max_examples=40, deadline=None)
@given(outcomes)
def test_swapping_the_sides_swaps_the_result(values):
    ours, theirs = compare(values), compare([-v for v in values])
    assert ours.score == pytest.approx(-theirs.score)
    assert ours.win == pytest.approx(theirs.loss)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    truth = 0.4  # P(win) - P(loss)
    covered = 0
    for i in range(300):
        values = rng.choice([1.0, 0.0, -1.0], size=100, p=[0.6, 0.2, 0.2]).tolist()
        low, high = compare(values, resamples=500, seed=i).score_ci
        covered += low <= truth <= high
    assert 0.90 <= covered / 300 <= 0.99


def test_nothing_to_compare_is_an_error():
    with pytest.raises(ValueError, match="no outcomes"):
        compare([])
