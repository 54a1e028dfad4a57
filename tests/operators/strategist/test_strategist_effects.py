import statistics
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.results import Trial
from operators.strategist.effects import TeamEffect, differing_team, moved_earlier, team_effects
from operators.strategist.space import Team, all_strategies

SPACE = all_strategies(include_empty=True)


def find(effects: list[TeamEffect], round: int | None, change: str, team: Team) -> TeamEffect:
    return next(e for e in effects if (e.round, e.change, e.team) == (round, change, team))


def test_single_teams_are_compared_with_doing_nothing(trial: Callable[..., Trial]) -> None:
    effects = team_effects([trial("cleaning", [1, 1, 0, 0]), trial("selection", [-1, 0, 0, 0])])
    added = find(effects, 1, "added", Team.CLEANING)
    assert (added.pairs, added.difference) == (1, 0.5)
    half = 1.959964 * statistics.stdev([1, 1, 0, 0]) / 2
    assert added.low == pytest.approx(0.5 - half)
    assert added.high == pytest.approx(0.5 + half)
    assert find(effects, 1, "added", Team.SELECTION).difference == -0.25


def test_adding_a_team_is_paired_by_question(trial: Callable[..., Trial]) -> None:
    cleaning, both = [1, 1, -1, -1], [1, 1, 0, 0]
    effects = team_effects([trial("cleaning", cleaning), trial("cleaning selection", both)])
    added = find(effects, 1, "added", Team.SELECTION)
    assert added.pairs == 1
    assert added.difference == 0.5
    assert added.high - added.low < 2.1  # unpaired, the two outcomes would give an interval of 2.5


def test_moving_a_team(trial: Callable[..., Trial]) -> None:
    effects = team_effects([trial("cleaning selection", [1, 1, 1, 1]), trial("selection cleaning", [0, 0, 1, 1])])
    assert find(effects, 1, "moved_earlier", Team.CLEANING).difference == 0.5
    assert find(effects, 1, "moved_earlier", Team.SELECTION).difference == -0.5


def test_rounds_apart_and_together(trial: Callable[..., Trial]) -> None:
    trials = [
        trial("cleaning", [1, 0, 0, 0], round=1),
        trial("cleaning generation", [1, 1, 0, 0], round=2),
        trial("selection", [0, 0, 0, 0], round=2),
        trial("selection generation", [1, 1, 1, 0], round=2),
    ]
    effects = team_effects(trials)
    assert find(effects, 2, "added", Team.GENERATION).difference == 0.75
    overall = find(effects, None, "added", Team.GENERATION)
    assert (overall.pairs, overall.difference) == (2, pytest.approx((0.75 + 0.25) / 2))
    assert not [e for e in effects if e.round == 1 and e.team is not Team.CLEANING]


def test_unequal_numbers_of_questions(trial: Callable[..., Trial]) -> None:
    effects = team_effects([trial("cleaning", [0, 0, 1, 1, 1, 1]), trial("cleaning selection", [1, 1])])
    assert find(effects, 1, "added", Team.SELECTION).difference == 1.0


def test_a_trial_that_was_stopped_early_costs_the_others_no_questions(trial: Callable[..., Trial]) -> None:
    whole, stopped = [1, 1, -1, -1, -1, -1], [1, 1]
    effects = team_effects(
        [trial("cleaning", whole), trial("selection", [0] * 6), trial("cleaning selection", stopped)]
    )
    added = find(effects, 1, "added", Team.CLEANING)
    assert added.pairs == 2
    assert added.difference == pytest.approx(-1 / 3)


def test_nothing_tried() -> None:
    assert team_effects([]) == []


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SPACE), st.sampled_from(SPACE))
def test_what_counts_as_one_change(a, b):
    added = differing_team(a, b)
    assert (added is not None) == (len(b) == len(a) + 1 and tuple(t for t in b if t in a) == a)
    for team in moved_earlier(a, b):
        assert set(a) == set(b)
        assert b.index(team) < a.index(team)
        assert team not in moved_earlier(b, a)
    if a == b:
        assert added is None
        assert moved_earlier(a, b) == []


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_effects_stay_in_range(trial, data):
    scores = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=3, max_size=3)
    chosen = data.draw(st.lists(st.sampled_from(all_strategies()), unique=True, max_size=10))
    trials = [trial(s, data.draw(scores), round=data.draw(st.integers(1, 3))) for s in chosen]
    for e in team_effects(trials):
        assert -2 <= e.low <= e.difference <= e.high <= 2
        assert e.pairs >= 1


def test_all_neighbours_of_the_whole_space(trial: Callable[..., Trial]) -> None:
    trials = [trial(s, [1, 0]) for s in all_strategies()]
    overall = [e for e in team_effects(trials) if e.round is None]
    # A team can be put into any place of the 16 sequences of the other three: 1*1 + 3*2 + 6*3 + 6*4 = 49.
    assert {e.pairs for e in overall if e.change == "added"} == {49}
    assert all(e.difference == 0 for e in overall if e.change == "moved_earlier")
    assert find(overall, None, "added", Team.CLEANING).difference == pytest.approx(0.5 / 49)
