"""Lines that hold little but contacts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.text.contact_lines import drop_contact_lines

M = "\ufdea"


def drop(text):
    return drop_contact_lines(text.replace("@", M), M).replace(M, "@")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Rest is best. Questions? Mail @ or call @.", "Rest is best."),
        ("Questions? Mail @ or call @. Rest is best.", "Rest is best."),
        ("[@] @ wrote: Rest is best.", "Rest is best."),
        ("Posted by @ from @ Rest is best.", "Rest is best."),
        ("For an appointment call @, fax @, @\nRest is best.", "Rest is best."),
        ("休息即可。 电话：@。", "休息即可。"),
        ("休息即可。邮箱：@，电话：@。多喝水。", "休息即可。多喝水。"),
    ],
)
def test_what_only_leads_to_somebody_goes(text, left):
    assert drop(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "You can reach the centre for poisoning at @.",
        "Write to @ to get a leaflet. Rest.",
        "Call @, or the ward.",
        "call @.",
        "@",
        "What is it? It is a long name of a disease, says @.",
        "No contact at all.",
        "请拨打@咨询",
        "电话@转张医生",
        "如需了解更多治疗信息请拨打@。",
        "اتصل @ للمزيد",
        "",
    ],
)
def test_sentences_that_say_something_stay(text):
    assert drop(text) == text


@given(st.lists(st.sampled_from(["@", "Rest", "call", ".", "\n", " ", "?", ",", "is best", "["]), max_size=15))
def test_it_only_cuts(parts):
    text = "".join(parts).strip()
    left = drop(text)
    it = iter(text)
    assert all(c in it for c in left), "nothing is added or moved"
    assert bool(left) == bool(text)


@pytest.mark.parametrize(
    "text",
    [
        "Questions? Mail @ or call @. " * 20_000,
        "you can write to the nice ward at @ " * 15_000,
        "如需了解更多治疗信息请拨打@咨询" * 15_000,
        "@ " * 200_000,
        "." * 400_000 + "@",
        " " * 400_000 + "@",
    ],
)
@pytest.mark.timeout(60)
def test_time_does_not_grow_with_the_square_of_a_text(text):
    assert len(drop(text)) <= len(text)
