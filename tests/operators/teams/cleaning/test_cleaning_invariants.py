"""What holds for every cleaning operator and any text."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operators.data.records import Message, Record
from operators.strategist.space import Team
from operators.teams.base import Context
from operators.teams.registry import build, built_in, operators

PIECES = [
    *(
        "word",
        "the",
        "heart",
        "lorem ipsum dolor sit amet",
        "Call",
        "click here",
        "read more",
        "see also:",
        "a",
        "1",
        "2",
    ),
    *("<b>", "</p>", "<br>", "<script>", "<!--", "-->", "<", ">", "&amp;", "&lt;", "amp;", "&", "#39;", "b"),
    *(
        "`",
        "```",
        "~~~\n",
        "**",
        "***",
        "##",
        "__x__",
        "~~",
        "* ",
        "> ",
        "---",
        "----",
        "- ",
        "|",
        "==",
        "||",
        "[",
        "]",
    ),
    *("http://a.b/c", "www.x.org", "[a](http://x.y)", "x@y.org", "555-555-0123", "192.0.2.1", "+1 ", "(", ")"),
    *("\n", "\n\n", "\r\n", "\t", " ", "  ", "\xa0", "\u200b", "\u200d", "\ufeff", "\x00", "\x07", "\\", "\ud800"),
    *(
        "Ã©",
        "â€™",
        "Â",
        "\\x41",
        "\\u00e9",
        "★",
        "•",
        "\ufffd",
        "ﬁ",
        "ａ",
        "糖尿病",
        "。",
        "，，",
        "नमस्ते",
        "\ufdd0",
    ),
    *(".", "...", "!!!", "_", "-", "'", '"'),
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join)
CONVERSATIONS = st.lists(
    st.tuples(TEXTS, TEXTS, st.sampled_from([None, True, False]), st.booleans()), min_size=1, max_size=4
)
CHEAP = sorted(
    name
    for name, cls in operators().items()
    if cls.team is Team.CLEANING and name not in ("answer_mismatch", "semantic_duplicates")
)


def records(rows):
    return [
        Record(
            f"r{i}",
            (
                *([Message("system", "Answer well. " * 8)] if system else []),
                *(Message("user", question), Message("assistant", answer)),
                *(Message("user", answer), Message("assistant", question)),
            ),
            {"row": i},
            flag,
        )
        for i, (question, answer, flag, system) in enumerate(rows)
    ]


HELD_OUT = [PIECES[0], "Take two tablets at night.", "糖尿病"]
"""Questions that a set might be contaminated with."""
PARAMS = {"language_filter": {"languages": ["en", "zh"]}}
"""Of operators that would leave a few records alone by default."""


def made(name):
    """The operator, and a context in which it has something to look for."""
    held_out = records([(f"{text} {text}", text, None, False) for text in HELD_OUT])
    return build(name, PARAMS.get(name, {})), Context(held_out=held_out)


@pytest.mark.parametrize("name", CHEAP)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CONVERSATIONS)
def test_a_second_run_finds_nothing_to_do(name, rows):
    operator, context = made(name)
    once, _ = operator.run(records(rows), context)
    again, report = operator.run(once, context)
    assert again == once
    assert (report.changed, report.dropped) == (0, 0)


@pytest.mark.parametrize("name", CHEAP)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CONVERSATIONS)
def test_only_contents_change_and_the_flag_is_honoured(name, rows):
    given_ = records(rows)
    operator, context = made(name)
    result, report = operator.run(given_, context)
    before = {r.id: r for r in given_}
    assert [r.id for r in result] == [r.id for r in given_ if r.id in {x.id for x in result}]
    for r in result:
        assert [m.role for m in r.messages] == [m.role for m in before[r.id].messages]
        assert (r.meta, r.flagged) == (before[r.id].meta, before[r.id].flagged)
    assert report.added == 0
    assert records(rows) == given_, "the input is not modified"
    if operator.flagged_only:
        assert {r for r in given_ if r.flagged is False} <= set(result)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", CHEAP)
def test_no_text_keeps_an_operator_for_long(name):
    texts = [piece * (20_000 // len(piece)) + end for piece in PIECES for end in ("", "x\n!")]
    operator, context = made(name)
    found, _ = operator.run(records([("q", text, None, False) for text in texts]), context)
    assert len(found) <= len(texts)


@pytest.mark.parametrize("name", CHEAP)
def test_nothing_to_do_in_an_empty_set(name):
    kept, report = build(name).run([], Context(held_out=records([("q", "a", None, False)])))
    assert (kept, report.rows_in, report.rows_out) == ([], 0, 0)


@pytest.mark.parametrize("name", sorted(n for n, cls in built_in().items() if cls.team is Team.CLEANING))
def test_every_parameter_has_a_description_and_every_number_both_bounds(name):
    for key, part in operators()[name].params_type.model_json_schema()["properties"].items():
        assert part.get("description"), key
        if part.get("type") in ("integer", "number"):
            assert {"minimum", "exclusiveMinimum"} & set(part), key
            assert {"maximum", "exclusiveMaximum"} & set(part), key


ALONE = [
    *((name, {}) for name, cls in sorted(operators().items()) if cls.rowwise),
    ("mask_contacts", {"action": "drop"}),
    ("repetition", {"action": "drop", "least_tokens": 1}),
    ("length_bounds", {"min_tokens": 12, "keep_incomplete": False}),
    ("decontaminate", {"ngram": 1, "least_question": 1, "least_text": 1, "threshold": 0.3}),
    ("strip_markup", {"markdown": "all"}),
    ("strip_markup", {"markdown": "none"}),
    ("language_filter", {"languages": ["en", "zh"], "least_letters": 1, "min_probability": 0.3}),
]


@pytest.mark.parametrize(("name", "params"), ALONE)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(CONVERSATIONS.map(lambda rows: rows[0]), min_size=2, max_size=8), st.data())
def test_parts_give_what_the_whole_gives_where_each_record_is_judged_alone(name, params, rows, data):
    given_ = records(rows)
    context = Context(held_out=records(rows[:1]))
    operator = build(name, params)
    assert operator.judges_alone()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(given_)), max_size=3)))
    whole, report = operator.run(given_, context)
    parts = [operator.run(given_[a:b], context) for a, b in pairwise([0, *cuts, len(given_)])]
    assert [r for part, _ in parts for r in part] == whole
    for number in ("rows_in", "rows_out", "changed", "dropped", "added"):
        assert sum(getattr(r, number) for _, r in parts) == getattr(report, number)


def test_a_set_wise_operator_is_not_taken_for_one_that_judges_alone():
    for name in ("strip_markup", "language_filter", "near_duplicates", "truncated_answers", "answer_mismatch"):
        assert not build(name).judges_alone()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CONVERSATIONS)
def test_what_is_kept_does_not_depend_on_the_order_where_each_record_is_judged_alone(rows):
    given_ = records(rows)
    held_out = given_[:2]
    for name in ("decontaminate", "length_bounds", "repetition", "special_characters", "language_filter"):
        one = build(name).apply(given_, Context(held_out=held_out))
        other = build(name).apply(given_[::-1], Context(held_out=held_out))
        assert {r.id: r for r in one} == {r.id: r for r in other}
