"""How often something is done: what may be said in other words, and what may not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.text.schedules import schedule


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("10 mg once weekly", "10 mg once daily"),
        ("5 mg every other day", "5 mg every day"),
        ("5 mg bid", "5 mg t.i.d."),
        ("half a tablet", "a tablet"),
        ("stage II cancer", "stage III cancer"),
        ("type I diabetes", "type II diabetes"),
        ("wöchentlich eine Tablette", "täglich eine Tablette"),
        ("un comprimé par jour", "un comprimé par semaine"),
        ("una vez al día", "una vez cada semana"),
        ("每周一次", "每日一次"),
        ("隔日一次", "每日一次"),
        ("半片", "一片"),
    ],
)
def test_another_schedule_is_seen(before, after):
    assert not schedule(before).agrees(schedule(after))
    assert not schedule(after).agrees(schedule(before))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("5 mg once daily", "5 mg once a day"),
        ("every day, and each night", "daily and nightly"),
        ("A day later the fever rose.", "The fever rose later."),
        ("eine Tablette täglich", "eine Tablette pro Tag"),
        ("每日一次", "每天一次"),
        ("It may pay the bid.", "May it pay the bid?"),
        ("I took it.", "It was taken by me."),
    ],
)
def test_the_same_in_other_words_is_no_change(before, after):
    assert schedule(before).agrees(schedule(after))


@given(text=st.text(max_size=60) | st.text("every a day week每隔天IVX bid/half ", max_size=40))
def test_a_text_agrees_with_itself(text):
    assert schedule(text).agrees(schedule(text))
