import pytest

from operators.data.records import Message, Record
from operators.errors import DataError
from operators.targeting import labels_of


def records(values):
    turns = Message("user", "What?"), Message("assistant", "That.")
    return [Record(str(i), turns, {"bad": v} if v is not ... else {}) for i, v in enumerate(values)]


def test_words_and_numbers_in_any_case_and_nothing_where_nothing_is_said():
    said = [1, 1.0, True, "TRUE", "yes", 0, 0.0, False, "False", " no ", None, "", "NaN", float("nan"), ...]
    assert labels_of(records(said), "bad") == [True] * 5 + [False] * 5 + [None] * 5


def test_a_set_without_the_column_has_no_labels():
    """As those that a recipe is applied to; a search refuses one when it is read."""
    assert labels_of(records([1, 0]), "worse") == [None, None]


def test_what_is_no_label_is_an_error_that_does_not_show_it():
    with pytest.raises(
        DataError, match=r"record 3: .*'bad' holds a value that is no label; give 1 or true"
    ) as error:
        labels_of(records([1, 0, "a patient's words"]), "bad")
    assert "patient" not in str(error.value)
