"""Where texts end and are cut, whatever they hold."""

from __future__ import annotations

import pytest

from operators.text.sentences import cut_to_sentence, is_complete, is_left_hanging, split_sentences


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("One. Two. Thr", "One. Two."),
        ("Ask Dr. Who and", ""),
        ("It is so... and then", ""),
        ("He said “no.” Then", "He said “no.”"),
        ("好。那么", "好。"),
        ("nothing ends here", ""),
        ("Done.\n\nSee Fig. 3", "Done."),
        ("He won. See Roe v. Wade, 410 U.S. 113 (19", "He won."),
        ("He won. See 42 U.S.C. § 1983 and", "He won."),
        ("He won. See art. 5 and", "He won."),
        ("A work of art. It is", "A work of art."),
        ("Er zahlt. Die Frist endet nach § 573c Abs. 1 BGB", "Er zahlt."),
        ("Take 5 mg b.i.d. Do not exceed", "Take 5 mg b.i.d."),
        ("Rest. Take 5 mg p.o. b.i.d. for", "Rest."),
    ],
)
def test_a_text_is_cut_after_its_last_whole_sentence(text, cut):
    assert cut_to_sentence(text) == cut


@pytest.mark.parametrize(
    "text",
    [
        *("The maximum is 40 mg/day", "Take 5 mg twice daily", "for 7 days", "every 4 hours", "10 mL/min/1.73 m²"),
        *("The rate is 5.25%", "LIBOR + 200 bps", "It costs $5 million", "in 2020", "-5 °C", "每天服用40毫克"),
        *("So the answer is $x = 5$", "The correct answer is B", "Hope this helps 😊", "Call us at [PHONE]"),
        *("ควรพักผ่อนให้เพียงพอ", "ຄວນພັກຜ່ອນ"),
        *("under 42 U.S.C. § 1983", "See § 12(a)(1)", "See Rule 10b-5", "410 U.S. 113 (1973)", "（见下文）"),
    ],
)
def test_a_text_may_end_in_a_value_or_a_citation(text):
    assert is_complete(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Take 2 every 4",
            "between 10 mg",
            "between 5%",
            "the 12",
            "a rate (of 5",
            "See Roe v. Wade, 410 U.S. 113 (19",
        ),
        *(
            "a lack of vitamin B12",
            "after COVID-19",
            "a dose of 5-",
            "Normal up to 4...",
            "pain in the 5,",
            "of the heart",
        ),
    ],
)
def test_a_name_or_half_a_value_is_no_end(text):
    assert not is_complete(text)


def test_a_list_in_one_line_is_complete_however_long():
    assert is_complete("Causes: - flu - cold - a long walk")
    # A pattern that tries all ways to divide it would take longer than the universe.
    assert not is_complete("Years: " + " - ".join(map(str, range(1000, 1090))) + "\nand so on for the rest")


@pytest.mark.parametrize(
    "text",
    [
        ". " * 50_000,
        "It is so. " * 20_000,
        "(" + "a" * 100_000 + ")x",
        "- " * 50_000,
        "1." * 50_000,
        "p.o. " * 20_000,
    ],
)
@pytest.mark.timeout(60)
def test_time_does_not_grow_with_the_square_of_a_text(text):
    assert text.startswith(cut_to_sentence(text))
    assert is_left_hanging(text) in (True, False)
    assert is_complete(text) in (True, False)
    assert "".join(split_sentences(text)).replace(" ", "") == text.replace(" ", "")
