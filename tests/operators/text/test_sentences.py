"""Where texts end and are cut, in sane time whatever they hold."""

from __future__ import annotations

import time

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
    start = time.perf_counter()
    assert not is_complete("Years: " + " - ".join(map(str, range(1000, 1090))) + "\nand so on for the rest")
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("text", [". " * 50_000, "It is so. " * 20_000, "(" + "a" * 100_000 + ")x", "- " * 50_000])
def test_time_grows_with_the_text_and_not_with_its_square(text):
    start = time.perf_counter()
    cut_to_sentence(text)
    is_left_hanging(text)
    is_complete(text)
    split_sentences(text)
    assert time.perf_counter() - start < 5
