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
    ],
)
def test_a_text_is_cut_after_its_last_whole_sentence(text, cut):
    assert cut_to_sentence(text) == cut


def test_a_list_in_one_line_is_complete_however_long():
    assert is_complete("Causes: - flu - cold - a long walk")
    # A pattern that tries all ways to divide it would take longer than the universe.
    assert not is_complete("Years: " + " - ".join(map(str, range(1000, 1090))) + "\nand so on for the rest")


@pytest.mark.parametrize("text", [". " * 50_000, "It is so. " * 20_000, "(" + "a" * 100_000 + ")x", "- " * 50_000])
@pytest.mark.timeout(60)
def test_time_does_not_grow_with_the_square_of_a_text(text):
    assert text.startswith(cut_to_sentence(text))
    assert is_left_hanging(text) in (True, False)
    assert is_complete(text) in (True, False)
    assert "".join(split_sentences(text)).replace(" ", "") == text.replace(" ", "")
