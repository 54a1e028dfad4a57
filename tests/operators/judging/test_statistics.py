import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.judging.statistics import chance, compare, compare_seeds, difference, noise_floor

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


def seeds_that_differ(
    rng: np.random.Generator, count: int, n: int = 100, spread: float = 0.3
) -> list[list[float]]:
    """Outcomes of several training seeds around a common score of 0, each with a shift of its own."""
    runs = []
    for shift in np.clip(rng.normal(0, spread, count), -0.9, 0.9):
        runs.append(rng.choice([1.0, -1.0], size=n, p=[(1 + shift) / 2, (1 - shift) / 2]).tolist())
    return runs


def test_several_seeds_are_pooled_with_an_interval_over_both():
    runs = [[1.0, 1.0, 0.0, -1.0], [1.0, -1.0, 0.0, -1.0]]
    result = compare_seeds(runs)
    assert result.seed_scores == [0.25, -0.25]
    assert result.outcomes == [1.0, 0.0, 0.0, -1.0]
    assert (result.win, result.tie, result.loss) == (3 / 8, 2 / 8, 3 / 8)
    assert result.n == 4


@pytest.mark.parametrize("spread", [0.05, 0.3])
def test_an_interval_over_seeds_holds_as_often_as_it_says(spread: float):
    covered = dict.fromkeys((1, 2, 3, 5), 0)
    for i in range(200):
        runs = seeds_that_differ(np.random.default_rng(i), 5, spread=spread)
        for count in covered:
            low, high = compare_seeds(runs[:count], resamples=300, seed=i).score_ci
            covered[count] += low <= 0 <= high
    assert covered[2] / 200 > 0.84  # one degree of freedom is hardly enough
    assert min(covered[3], covered[5]) / 200 > 0.89
    if spread > 0.1:
        assert covered[1] / 200 < 0.6  # questions alone explain little of what another seed does


def test_seeds_must_have_judged_the_same_questions():
    with pytest.raises(ValueError, match=r"runs of \[1, 2\] outcomes"):
        compare_seeds([[1.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match="no outcomes"):
        compare([])


def test_strategies_are_compared_question_by_question():
    rng = np.random.default_rng(3)
    easy = rng.choice([1.0, -1.0], size=200)  # what a question does to every strategy
    a = np.where(rng.random(200) < 0.9, easy, 1.0).tolist()
    b = easy.tolist()
    better, worse = compare(a), compare(b)
    gap, (low, high) = difference(better, worse)
    assert gap == pytest.approx(better.score - worse.score)
    assert 0 < low < gap < high
    assert better.score_ci[0] < worse.score_ci[1]  # unpaired, their intervals overlap
    assert difference(worse, better)[0] == pytest.approx(-gap)


def test_questions_that_only_one_strategy_was_asked_do_not_count():
    gap, interval = difference(compare([1.0] * 10), compare([1.0] * 5 + [-1.0] * 20))
    assert gap == 1.0  # over the first ten: level on five, two apart on five
    assert interval[0] > 0


def test_the_noise_floor_holds_what_changes_nothing():
    inside = 0
    for i in range(200):
        rng = np.random.default_rng(i)
        measured, other = (rng.choice([1.0, 0.0, -1.0], size=100, p=[0.45, 0.1, 0.45]).tolist() for _ in "ab")
        inside += abs(np.mean(other)) <= noise_floor([measured], resamples=500, seed=i)
    assert inside / 200 >= 0.95


def test_a_seed_that_shifts_everything_raises_the_noise_floor():
    even = [1.0, -1.0] * 50
    shifted = [1.0] * 70 + [-1.0] * 30
    assert noise_floor([even]) < 0.25 < noise_floor([shifted])
    # A mean over several seeds moves less than one seed does, and the sign of a run says nothing.
    assert noise_floor([shifted], seeds=3) < noise_floor([shifted])
    assert noise_floor([shifted]) == pytest.approx(noise_floor([[-x for x in shifted]]), abs=0.03)
    assert noise_floor([[0.0] * 50]) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([1.0, 0.5, 0.0, -0.5, -1.0]), min_size=1, max_size=10))
def test_chance_is_the_share_of_signs_that_do_as_well(outcomes):
    signs = np.array(list(itertools.product([1, -1], repeat=len(outcomes))))
    as_well = (signs @ outcomes >= sum(outcomes) - 1e-9).mean()
    assert chance(outcomes) == pytest.approx(as_well)


def test_chance_of_many_outcomes_holds_its_level_and_is_seeded():
    below = 0
    for i in range(300):
        outcomes = np.random.default_rng(i).choice([1.0, 0.0, -1.0], size=60, p=[0.2, 0.6, 0.2]).tolist()
        below += chance(outcomes, flips=999, seed=i) <= 0.025
    assert below / 300 <= 0.045, "0.025 and two standard errors"
    assert chance([1.0] * 40 + [-1.0] * 20) == chance([-1.0] * 20 + [1.0] * 40 + [0.0] * 9) < 0.025
    with pytest.raises(ValueError, match="no outcomes"):
        chance([])
