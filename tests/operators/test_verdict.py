import pytest

from flows.iteration import leader_of
from operators.judging.statistics import compare, compare_seeds
from operators.results import Trial
from operators.strategist.space import Strategy, Team
from operators.verdict import best_trial, decide, lead

CLEANING, SELECTION = (Team.CLEANING,), (Team.SELECTION,)


def trial(strategy: Strategy, outcomes: list[float], noise_floor: float = 0.0) -> Trial:
    return Trial(
        round=1, strategy=strategy, comparison=compare(outcomes), rows=10, steps=1, noise_floor=noise_floor
    )


def test_a_clear_gain_is_adopted():
    verdict = decide((Team.CLEANING,), compare([1.0] * 80 + [-1.0] * 20), 0.95)
    assert verdict.decision == "adopt"
    assert verdict.win_rate == 0.8
    assert "Adopt cleaning: 80% of 100" in verdict.reason


def test_a_gain_within_the_noise_leaves_the_data_as_they_are():
    verdict = decide((Team.CLEANING,), compare([1.0] * 53 + [-1.0] * 47), 0.95)
    assert verdict.decision == "no_processing"
    assert verdict.reason.startswith("Leave the data as they are")


def test_a_gain_that_another_seed_alone_could_make_is_not_adopted():
    sealed = compare([1.0] * 65 + [-1.0] * 35)
    assert sealed.score_ci[0] > 0
    assert decide(CLEANING, sealed, 0.95, noise_floor=0.2).decision == "adopt"
    verdict = decide(CLEANING, sealed, 0.95, noise_floor=0.4)
    assert verdict.decision == "no_processing"
    assert "95% of scores without any effect stay below 0.40" in verdict.reason


def test_a_gain_of_one_seed_only_is_not_adopted():
    won, level = [1.0] * 90 + [-1.0] * 10, [1.0, -1.0] * 50
    assert decide(CLEANING, compare(won), 0.95).decision == "adopt"
    verdict = decide(CLEANING, compare_seeds([won, level, level]), 0.95)
    assert verdict.decision == "no_processing"
    assert "over 3 training seeds" in verdict.reason
    assert verdict.seed_scores == [0.8, 0.0, 0.0]


def test_a_gain_on_a_handful_of_questions_is_not_adopted():
    sealed = compare([1.0] * 5 + [0.0] * 115)
    assert sealed.score_ci[0] > 0
    verdict = decide(CLEANING, sealed, 0.95)
    assert verdict.decision == "no_processing"
    assert verdict.chance == pytest.approx(1 / 32)
    assert "so few questions differ that coins would do as well in 3% of cases" in verdict.reason
    assert decide(CLEANING, compare([1.0] * 6 + [0.0] * 114), 0.95).decision == "adopt"


def test_what_is_looked_at_after_others_is_told_so():
    sealed = compare([1.0] * 80 + [-1.0] * 20)
    assert decide(CLEANING, sealed, 0.975, opening=2).reason.endswith(
        "97.5% interval +0.44 to +0.74, for these questions have been opened for 1 other candidate)."
    )
    assert "for 2 other candidates)." in decide(CLEANING, sealed, 0.9833, opening=3).reason


def test_a_loss_is_never_adopted():
    assert decide((Team.SELECTION,), compare([-1.0] * 60), 0.95).decision == "no_processing"


def test_the_winners_curse_is_the_drop_to_the_sealed_score():
    assert decide(CLEANING, compare([1.0] * 80 + [-1.0] * 20), 0.95, search_score=0.7).drop == pytest.approx(0.1)
    assert decide(CLEANING, compare([1.0]), 0.95).drop is None


def test_the_strategists_choice_goes_before_the_score():
    trials = [trial(CLEANING, [1.0, 0.0]), trial(SELECTION, [1.0, 1.0])]
    assert best_trial(trials).strategy == SELECTION
    assert best_trial(trials, CLEANING).strategy == CLEANING


def test_of_equal_scores_the_shortest_strategy_is_best():
    trials = [trial(s, [1.0] * 60) for s in ((*SELECTION, *CLEANING), CLEANING, (*CLEANING, *SELECTION))]
    assert best_trial(trials).strategy == CLEANING


def test_what_racing_stopped_leads_nobody():
    stopped = trial(SELECTION, [1.0] * 60).model_copy(update={"stopped": True})
    assert leader_of([stopped]) is None
    assert leader_of([stopped, trial(CLEANING, [1.0, 0.0])]) == (1.0, 0.0)
    assert leader_of([trial(CLEANING, [-1.0, 0.0])]) is None


def test_the_best_is_compared_with_the_second():
    trials = [trial(CLEANING, [1.0] * 60), trial(SELECTION, [1.0] * 30 + [-1.0] * 30), trial((), [-1.0] * 60)]
    found = lead(trials[0], trials, 0.95)
    assert found is not None
    assert found.second == SELECTION
    assert found.difference == pytest.approx(1.0)
    assert found.difference_ci[0] > 0
    assert found.better == 1
    assert lead(trials[0], trials[:1], 0.95) is None


def test_a_lead_that_seeds_alone_could_make_is_open():
    best, second = [1.0] * 60, [1.0] * 50 + [-1.0] * 10
    for floor, better in ((0.2, 1), (0.4, 0)):
        trials = [trial(CLEANING, best, floor), trial(SELECTION, second, floor)]
        found = lead(trials[0], trials, 0.95)
        assert found is not None
        assert found.difference == pytest.approx(1 / 3)
        assert found.better == better


def test_what_a_race_stopped_has_another_baseline_and_is_no_second():
    whole, stopped = trial(CLEANING, [1.0] * 60), trial(SELECTION, [0.0] * 60)
    assert lead(whole, [whole, stopped.model_copy(update={"stopped": True})], 0.95) is None


def test_a_score_inside_the_noise_floor_is_reported_as_zero():
    inside, outside = (trial(CLEANING, [1.0] * 60 + [-1.0] * 40, floor) for floor in (0.25, 0.15))
    assert (inside.is_noise, inside.score) == (True, 0.0)
    assert inside.score_ci[0] <= 0 <= inside.score_ci[1]
    assert (outside.is_noise, outside.score) == (False, pytest.approx(0.2))
    assert outside.score_ci == outside.comparison.score_ci


def test_a_strategy_that_cannot_be_tuned_with_every_seed_is_not_adopted():
    sealed = compare_seeds([[1.0] * 80 + [-1.0] * 20] * 2)
    assert decide(CLEANING, sealed, 0.95).decision == "adopt"
    verdict = decide(CLEANING, sealed, 0.95, lost=1)
    assert verdict.decision == "no_processing"
    assert "over 2 training seeds; 1 more could not be tuned: a lower training.learning_rate" in verdict.reason
