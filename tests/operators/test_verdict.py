from operators.judging.statistics import compare
from operators.strategist.space import Team
from operators.verdict import decide


def test_a_clear_gain_is_adopted():
    verdict = decide((Team.CLEANING,), compare([1.0] * 80 + [-1.0] * 20), 0.95)
    assert verdict.decision == "adopt"
    assert verdict.win_rate == 0.8
    assert "Adopt cleaning: 80% of 100" in verdict.reason


def test_a_gain_within_the_noise_leaves_the_data_as_they_are():
    verdict = decide((Team.CLEANING,), compare([1.0] * 53 + [-1.0] * 47), 0.95)
    assert verdict.decision == "no_processing"
    assert verdict.reason.startswith("Leave the data as they are")


def test_a_loss_is_never_adopted():
    assert decide((Team.SELECTION,), compare([-1.0] * 60), 0.95).decision == "no_processing"
