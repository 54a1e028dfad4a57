import pytest

from operators.judging.reference import outcomes


def test_lower_loss_wins_beyond_the_margin():
    assert outcomes([1.0, 2.0, 1.5, 1.4991], [2.0, 1.0, 1.5, 1.5], 0.002) == [1.0, -1.0, 0.0, 0.0]


def test_a_model_against_itself_only_ties():
    assert outcomes([3.0, 0.1], [3.0, 0.1], 0.0) == [0.0, 0.0]


def test_different_numbers_of_questions_are_an_error():
    with pytest.raises(ValueError, match="2 trial values for 1"):
        outcomes([1.0, 2.0], [1.0], 0.0)
