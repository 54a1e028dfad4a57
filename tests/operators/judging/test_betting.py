import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.judging.betting import settled, wealth

outcomes = st.lists(st.floats(-1, 1), min_size=1, max_size=50)


def draws(rng: np.random.Generator, n: int, score: float) -> list[float]:
    return rng.choice([1.0, -1.0], size=n, p=[(1 + score) / 2, (1 - score) / 2]).tolist()


@given(outcomes)
def test_wealth_is_that_of_the_bets_one_after_the_other(values):
    found = wealth(values)
    for t in range(1, len(values) + 1):
        stakes = [(j + 0.5) / 20 for j in range(20)]
        by_hand = np.mean([math.prod(1 + s * x for x in values[:t]) for s in stakes])
        assert math.exp(found[t - 1]) == pytest.approx(by_hand, rel=1e-6)


@given(outcomes, st.lists(st.floats(-1, 1), max_size=20))
def test_later_outcomes_do_not_change_earlier_wealth(values, more):
    assert wealth(values) == pytest.approx(wealth([*values, *more])[: len(values)])


def test_a_fair_game_earns_nothing_on_average():
    # E[wealth] = 1 at every time: exactly, over all 2^10 sequences of a fair coin.
    every = [[1.0 if i >> j & 1 else -1.0 for j in range(10)] for i in range(1024)]
    assert np.mean([np.exp(wealth(values)[-1]) for values in every]) == pytest.approx(1)


def test_looking_after_every_question_keeps_the_error_that_a_z_test_does_not():
    level, z = 0.05, 1.645
    betting = peeking = 0
    for i in range(400):
        values = np.array(draws(np.random.default_rng(i), 100, 0.0))
        betting += settled(values.tolist(), level) == "better"
        t = np.arange(1, 101)
        peeking += bool(np.any((values.cumsum() / np.sqrt(t) > z)[9:]))  # a z-test from the tenth question on
    assert betting / 400 <= level
    assert peeking / 400 > 3 * level


def test_clear_winners_and_losers_are_settled_early_and_the_rest_is_not():
    rng = np.random.default_rng(1)
    assert settled(draws(rng, 40, 0.8), 0.05 / 20) == "better"
    assert settled(draws(rng, 40, -0.8), 0.05 / 20) == "worse"
    assert settled([1.0, -1.0] * 50, 0.05 / 20) is None
    assert settled([], 0.05) is None


def test_a_strategy_that_trails_the_best_is_settled_without_being_worse_than_the_baseline():
    leader = [1.0] * 45 + [-1.0] * 5
    trial = [1.0, -1.0] * 25
    assert settled(trial, 0.05 / 20) is None
    assert settled(trial, 0.05 / 20, leader) == "behind"
    assert settled(leader[:30], 0.05 / 20, leader) == "better"
    assert settled(trial, 0.05 / 20, leader[:10]) is None  # too few questions in common


def test_outcomes_outside_the_range_are_an_error():
    with pytest.raises(ValueError, match="-1, 1"):
        wealth([0.0, 1.5])
