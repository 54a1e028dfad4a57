"""What numbers say, and which rewrites change it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.text.quantities import Quantity, change, quantities

CHANGED = [
    ("Take 5 mg.", "Take 5 g."),
    ("Take 5 mg.", "Take 50 mg."),
    ("Take 5 mg.", "Take a dose."),
    ("Take .5 mg.", "Take 5 mg."),
    ("ratio 1.5", "ratio 15"),
    ("The target INR is < 3.", "The target INR is > 3."),
    ("significant at p<0.05", "significant at p>0.05"),
    ("INR is < 3", "INR is 3"),
    ("INR is <3", "INR is ≤3"),
    ("3 < INR < 5", "3 > INR < 5"),
    ("for children under 5", "for children over 5"),
    ("less than 3", "more than 3"),
    ("at least 3", "at most 3"),
    ("a minimum of 3", "a maximum of 3"),
    ("65 or older", "65 or younger"),
    ("not over 5 days", "over 5 days"),
    ("not over 5 days", "for 5 days"),
    ("not more than 4 g", "not less than 4 g"),
    ("Store at -5 degrees.", "Store at 5 degrees."),
    ("Store at −5 °C.", "Store at 5 °C."),
    ("a mean of 5 ± 2", "a mean of 5 and 2"),
    ("revenue of $5 million", "revenue of $5 billion"),
    ("revenue of $5m", "revenue of $5bn"),
    ("it costs €5", "it costs $5"),
    ("it costs HK$5", "it costs $5"),
    ("5 million dollars", "5 million euros"),
    ("5%", "5 percentage points"),
    ("5 mg/kg of the drug every day", "5 mg/day of the drug every kg"),
    ("5 mg/kg", "5 mg"),
    ("5 mg/day", "5 mg/hour"),
    ("2 tablets twice a day", "2 tablets thrice a day"),
    ("two tablets", "three tablets"),
    ("4 x 10⁶ cells", "4 x 106 cells"),
    ("2½ tablets", "21/2 tablets"),
    ("服用五毫克", "服用九毫克"),
    ("服用五毫克", "服用五十毫克"),
    ("不超过5毫克", "不少于5毫克"),
    ("5毫克以上", "5毫克以下"),
    ("赔偿5万元", "赔偿5亿元"),
    ("每公斤5毫克", "5毫克"),
]
SAME = [
    ("Take 5 mg twice.", "Twice, take 5mg."),
    ("Take 5 mg.", "Take 5 milligrams."),
    ("Take five mg.", "Take 5 mg."),
    ("Take twenty-five mg.", "Take 25 mg."),
    ("two hundred and fifty milligrams", "250 mg"),
    ("twice a day", "2 times a day"),
    ("1,000 people", "1000 people"),
    ("10% of them", "10 percent of them"),
    ("10% of them", "10 per cent of them"),
    ("for 2 days", "a 2-day course"),
    ("for two days", "a two-day course"),
    ("between 80 and 200 msec", "80 to 200 msec"),
    ("10-20 mg", "10–20 mg"),
    ("10-20 mg", "10 to 20 mg"),
    ("ratio 1.5%", "ratio 1.5 %"),
    ("服用５毫克", "服用5毫克"),
    ("服用五毫克", "服用5毫克"),
    ("一天三次，每次十五毫克", "每天3次，每次15毫克"),
    ("不超过五千克", "至多5公斤"),
    ("占百分之五", "占5%"),
    ("5毫克/公斤", "5毫克每公斤"),
    ("每公斤5毫克", "5毫克/公斤"),
    ("٣ مرات", "3 مرات"),
    ("INR less than 3", "INR <3"),
    ("INR is < 3", "INR is below 3"),
    ("INR greater than or equal to 3", "INR ≥ 3"),
    ("p<0.05", "p < .05"),
    ("INR > 3", "3 < INR"),
    ("INR <= 3", "INR is at most 3"),
    ("Do not take more than 4 g a day.", "Take no more than 4 g per day."),
    ("you shouldn’t exceed 4 g/day", "at most 4 g daily"),
    ("not more then 4 g a day", "up to 4 g a day"),
    ("aged 65 or older", "aged at least 65"),
    ("65+ years", "65 years or more"),
    ("over 5 days", "for 5 days"),
    ("over 5 days", "more than 5 days"),
    ("a maximum of 4 g", "the maximum is 4 g"),
    ("minus 5 degrees", "-5 degrees"),
    ("5 plus or minus 2", "5 ± 2"),
    ("$5 million", "5 million dollars"),
    ("$5 million", "US$5,000,000"),
    ("$2.5m", "$2.5 million"),
    ("£5", "5 pounds"),
    ("5 thousand people", "5,000 people"),
    ("5 mg/kg/day", "5 mg per kg per day"),
    ("5 mg/kg every day", "each day 5 mg/kg"),
    ("take 5 mg once a day", "take 5 mg a day"),
    ("37 °C", "37 degrees Celsius"),
    ("120 mmHg", "120 mm Hg"),
    ("INR = 3", "INR is 3"),
    ("COVID-19 and B12", "COVID 19 and B-12"),
    ("<b>5</b> mg -> 6 mg", "5 mg, 6 mg"),
    ("4 x 10⁶ cells", "4 x 10^6 cells"),
    ("H₂O", "H2O"),
    ("2½ tablets", "2 1/2 tablets"),
    ("one of the two", "one of both"),
    ("It is one day away.", "It is a day away."),
]


@pytest.mark.parametrize(("before", "after"), CHANGED)
def test_another_number_is_another_fact(before, after):
    assert quantities(before) != quantities(after)
    for found in (change(before, after), change(after, before)):
        assert found.lost or found.added


@pytest.mark.parametrize(("before", "after"), SAME)
def test_the_same_number_in_other_words(before, after):
    assert change(before, after) == change(after, before) == (False, False, False)


def test_what_is_read():
    assert quantities("2 mg, then 2 mg, then 3") == {Quantity("2", "mg"): 2, Quantity("3"): 1}
    assert list(quantities("no more than -$2.5 million/year")) == [
        Quantity("2500000", "$", comparator="≤", sign="-", per=("year",))
    ]
    assert change("2 mg and 3 mg", "2 mg") == (True, False, False)
    assert change("2 mg", "2 mg and 2 mg") == (False, True, False)


SWAPPED = [
    ("Take 5 mg in the morning and 10 mg at night.", "Take 10 mg in the morning and 5 mg at night."),
    ("The adult dose is 500 mg. The child dose is 250 mg.", "The adult dose is 250 mg. The child dose is 500 mg."),
    ("5 at dawn, 6 at noon, 7 at night", "6 at dawn, 7 at noon, 5 at night"),
    ("It was reduced from 10 to 5.", "It was reduced from 5 to 10."),
    ("早上5毫克，晚上10毫克。", "早上10毫克，晚上5毫克。"),
]
REORDERED = [
    ("Take 5 mg in the morning and 10 mg at night.", "Take 10 mg at night and 5 mg in the morning."),
    ("The adult dose is 500 mg. The child dose is 250 mg.", "The child dose is 250 mg. The adult dose is 500 mg."),
    ("5 at dawn, 6 at noon, 7 at night", "7 at night, 5 at dawn, 6 at noon"),
    ("Take 5 mg in the morning and 10 mg at night.", "Use 5 mg at breakfast, and 10 mg before you sleep."),
    ("500 mg for adults, 250 mg for children", "Children take 250 mg and adults 500 mg."),
    ("早上5毫克，晚上10毫克。", "晚上10毫克，早上5毫克。"),
    ("Doses: 5 mg, 10 mg, 20 mg", "Doses: 20 mg, 10 mg, 5 mg"),
]


@pytest.mark.parametrize(("before", "after"), SWAPPED)
def test_numbers_that_exchange_places_are_seen(before, after):
    assert change(before, after) == (False, False, True)


@pytest.mark.parametrize(("before", "after"), REORDERED)
def test_sentences_may_be_put_in_another_order(before, after):
    assert change(before, after) == (False, False, False)


PIECES = [
    *("5", "-", "<", ">", "$", "mg", "/", "kg", " ", ".", ",", "±", "+", "<b", "=", "½", "⁶"),
    *("not ", "more than ", "two ", "hundred ", "one ", "per ", "a ", "day", "million "),
    *("五", "十", "百", "毫克", "不超过", "以上"),
]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=20).map("".join))
def test_any_text_says_what_it_says(text):
    assert change(text, text) == (False, False, False)
    assert quantities(text).total() <= len(text)


@pytest.mark.timeout(240)
def test_no_text_takes_long():
    more = (
        "1,",
        "1.",
        "5 ",
        "<a ",
        "<a\t",
        "五mg",
        "or 5 ",
        "5 mg/",
        "n't ",
        "a'",
        "二百",
        "the ",
        "two hundred ",
    )
    for piece in (*PIECES, *more):
        for end in ("", "x\n!5"):
            change(piece * (10_000 // len(piece)) + end, piece)
    numbers = range(3000)
    assert change(" ".join(f"{i} mg" for i in numbers), " ".join(f"{i + 1} mg" for i in numbers)).lost
    assert not change(" ".join(f"<{i}" for i in numbers), " ".join(f"<{i}" for i in reversed(numbers))).lost
