"""The operators that repair text."""

import pytest

from operators.data.records import Message, Record
from operators.errors import ConfigError
from operators.teams.base import Context
from operators.teams.registry import build


def clean(name, answer, question="What is it?", **params):
    record = Record("a", (Message("user", question), Message("assistant", answer)))
    return build(name, params).apply([record], Context())[0].answer


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        ("The patientâ€™s fiancÃ©", "The patient’s fiancé"),
        ("zero\u200bwidth and soft\u00adhyphen\ufeff", "zerowidth and softhyphen"),
        ("a\u00a0b  c \r\n\r\n\r\n\r\nd\t", "a b c\n\nd"),
        ("caf\\u00e9 and \\x41 and \\x00", "café and A and"),
        ("hidden\U000e0041\U000e0042 text", "hidden text"),
        ("bell\x07", "bell"),
    ],
)
def test_fix_text_repairs(broken, mended):
    assert clean("fix_text", broken) == mended


@pytest.mark.parametrize(
    "text",
    [
        "“Curly” quotes, naïve café, 10–20 mg, ½, H₂O",
        "糖尿病，是一种慢性疾病：需要控制饮食（长期）！",
        "می‌خواهم",  # the zero-width non-joiner is part of Persian spelling
        "क्‍ष and 👩‍👩‍👧 and 🏴󠁧󠁢󠁳󠁣󠁴󠁿",
        "שלום \u200fabc",
        "def f():\n    return 1\n\n    # indented",
        's = "\\u00e9"; print(s);',
    ],
)
def test_fix_text_leaves_good_text_alone(text):
    assert clean("fix_text", text) == text


@pytest.mark.parametrize(
    ("residue", "plain"),
    [
        ('<div class="a>b"><p>One.</p><p>Two.</p></div>', "One.\n\nTwo."),
        ("H<sub>2</sub>O, 10<sup>6</sup> cells &amp;amp; more", "H2O, 10^6 cells & more"),
        ("<ul><li>one<li>two</ul>", "- one\n- two"),
        ("text<!-- note --><script>alert('<b>')</script>", "text"),
        ("a</td><td>b", "a b"),
        ("&lt;p&gt;escaped&lt;/p&gt;", "escaped"),
        ("See the page (https://example.org/a_(b)?x=1).", "See the page."),
        ("It helps. For more information visit www.example.org/help.", "It helps."),
        ("It helps, see [the guide](https://example.org) first.", "It helps, see the guide first."),
        ("It helps.\n\n[Source](https://example.org) [Edit](https://example.org/edit)", "It helps."),
        ("It helps. To view the list, click here.", "It helps."),
        ("It helps. Read more", "It helps."),
        ("take rest. for further information consult a dentist online --> <link>", "take rest."),
        ("休息即可。点击这里查看更多详情", "休息即可。"),
        ("## Title\n\n**Bold** text", "Title\n\nBold text"),
    ],
)
def test_strip_markup_removes_residue(residue, plain):
    assert clean("strip_markup", residue, markdown="all") == plain


@pytest.mark.parametrize(
    "text",
    [
        "if a < b and c > d, then a<b && c>d",
        "List<String> names; read from <stdin>; mark the <patient>",
        "AT&T, R&D and 5 > 3; &copy=1",
        "Use `<b>` for bold.\n```html\n<p>&amp;</p>\n```",
        "2 * 3 * 4 = 24, snake_case_name, C# and F#",
        "He wants more. Read on here.",
    ],
)
def test_strip_markup_leaves_prose_and_code_alone(text):
    assert clean("strip_markup", text, markdown="all") == text


def test_strip_markup_leaves_the_subject_of_a_question_alone():
    assert clean("strip_markup", "<b>x</b>", "How do I write bold in HTML?") == "<b>x</b>"
    assert clean("strip_markup", "https://a.org/b", "What is the URL?") == "https://a.org/b"
    assert clean("strip_markup", "<b>x</b>", "How do I write bold in HTML?", keep_topic=False) == "x"


def test_strip_markup_takes_markdown_for_style_where_many_answers_have_it():
    def answers(share):
        texts = ["## A\n**b**" if i < share * 20 else "plain" for i in range(20)]
        rows = [Record(f"{i}", (Message("user", "q"), Message("assistant", t))) for i, t in enumerate(texts)]
        return [r.answer for r in build("strip_markup").apply(rows, Context())]

    assert "## A\n**b**" not in answers(0.05)
    assert answers(0.5).count("## A\n**b**") == 10


def test_strip_markup_removes_the_owners_phrases_from_answers():
    assert clean("strip_markup", "Rest. Yours, the team", phrases=["yours, the TEAM"]) == "Rest."


@pytest.mark.parametrize(
    ("open_", "masked"),
    [
        ("mail j.miller@example.org or call +1 (555) 555-0123.", "mail [EMAIL] or call [PHONE]."),
        ("[192.0.2.1] wrote from 2001:db8::ff00:42:8329", "[[IP]] wrote from [IP]"),
        ("call 1-800-4-CANCER, 555-1234 or +49 30 1234567", "call [PHONE], 555-1234 or [PHONE]"),
        ("电话：010-12345678，手机13812345678", "电话：[PHONE]，手机[PHONE]"),
        ("身份证号 11010519491231002X", "身份证号 [ID]"),
        ("SSN 123-45-6789, card 4111 1111 1111 1111", "SSN [ID], card [ID]"),
        ("IBAN DE89 3704 0044 0532 0130 00, MRN: 00123456", "IBAN [ID], MRN: [ID]"),
    ],
)
def test_mask_contacts_masks(open_, masked):
    assert clean("mask_contacts", open_) == masked


@pytest.mark.parametrize(
    "text",
    [
        "10-20 mg twice, 2010-2015, 1990 2000, 120/80 - 140/90",
        "WBC 4000-11000 /ul, 1,000,000 people, 3.14159265358979",
        "version 1.2.3.4 (EC 1.11.1.7), at 10:30:45 on 2020-01-15 12:30, 127.0.0.1",
        "OMIM 123456, PMID 12345678, rs1234567, chr7:117120017-117308718",
        "std::vector<int>, (+135 140-145), call 911 within 24 hours, phone in 2010 - 2012",
        "card 4111 1111 1111 1112, 身份证号码由18位组成",
        "take @home, a@b, 5 @ 3",
    ],
)
def test_mask_contacts_leaves_other_numbers_alone(text):
    assert clean("mask_contacts", text) == text


def test_mask_contacts_can_remove_or_drop():
    assert clean("mask_contacts", "write to a@b.org today", action="remove") == "write to today"
    assert clean("mask_contacts", "a@b.org or 192.0.2.1", kinds=["ip"]) == "a@b.org or [IP]"
    rows = [
        Record(f"{i}", (Message("user", "q"), Message("assistant", t))) for i, t in enumerate(["x", "a@b.org"])
    ]
    kept, report = build("mask_contacts", {"action": "drop"}).run(rows, Context())
    assert [r.id for r in kept] == ["0"]
    assert report.counts == {"email": 1}


@pytest.mark.parametrize(
    ("noisy", "clear"),
    [
        ("he★art va##lve ▒▒ wi~~th ||pain|| •••", "heart valve with pain"),
        ("Help!!!! Why??? ok.... so", "Help! Why? ok... so"),
        ("=====\nTitle\n=====\ntext", "Title\ntext"),
        ("● one\n● two", "- one\n- two"),
        ("100%% sure\ufffd", "100% sure"),
        ("a conÂsequence Â of significant*** pain", "a consequence of significant pain"),
        ("你好，，世界。。", "你好，世界。"),
    ],
)
def test_special_characters_removes_noise(noisy, clear):
    assert clean("special_characters", noisy) == clear


@pytest.mark.parametrize(
    "text",
    [
        "♀ and ♂, ✓ done, 😀😀 ❤️, €5 ± 2 ≥ 3, §5 ©",
        "हिन्दी में नमस्ते। สวัสดีครับ 中文，标点。",
        "## Title\n**bold** and ***both***\n| a | b |\n|---|---|",
        "____ is the capital; C++; 5 * 4; a -> b; F*** off",
        "Âge, château, CHÂTEAU, SÃO PAULO and João",
        "if (a || b) { return x == y; }",
        "```\n=======\n★★★\n```",
    ],
)
def test_special_characters_leaves_language_alone(text):
    assert clean("special_characters", text) == text


def test_special_characters_drops_noise_that_is_not_flagged_clean():
    noise = "@# $% ^& *~ |\\ += <> @# $%"
    rows = [
        Record(f"{f}", (Message("user", "q"), Message("assistant", noise)), {}, f) for f in (None, True, False)
    ]
    assert [r.id for r in build("special_characters").apply(rows, Context())] == ["False"]
    with pytest.raises(ConfigError, match="max_share"):
        build("special_characters", {"max_share": 2})


def test_mask_contacts_removes_lines_of_answers_only():
    line = "Rest is best. Questions? Mail a@b.org or call +1 (555) 555-0123."
    record = Record("a", (Message("user", line), Message("assistant", line)))
    kept, report = build("mask_contacts").run([record], Context())
    assert kept[0].answer == "Rest is best."
    assert kept[0].question == "Rest is best. Questions? Mail [EMAIL] or call [PHONE]."
    assert report.counts == {"email": 2, "phone": 2, "lines": 1}
    assert clean("mask_contacts", line, lines=False) == kept[0].question
