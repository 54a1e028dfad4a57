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
        ("Take 5 mg\\u000aTwice daily", "Take 5 mg\nTwice daily"),
        ("one\\u000d\\u000atwo\\x0athree", "one\ntwo\nthree"),
        ("5\\u00a0mg and 10\\u2009ml\\x20a\\u0009b", "5 mg and 10 ml a\tb"),
        ("well \\ud83d\\ude00 done, \\ud83d alone", "well 😀 done, alone"),
        ("dose\t \tday  one", "dose\t\tday one"),
        ("one\r\n```\r\nprint('a  b')\r\n", "one\n```\nprint('a  b')"),
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
        "0-2 y\t\t5 mg\n3-5 y\t5 mg\t10 mg",
        "\tMorning\tEvening\n0-2 y\t\t5 mg",
        "Write:\n```\nprint('a  b')\n\n\n\nx\t= 1\n```\nor `a  b`.",
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
        ("> quoted\n> > text and __very bold__ text", "quoted\ntext and very bold text"),
        ("It helps.\nLearn more about fever at home\nRead more »", "It helps."),
        ("It helps.\nCopyright (c) 2019 Example Inc. All rights reserved.", "It helps."),
        ("It helps.\nAll rights reserved. Terms of use", "It helps."),
        ("It helps. To view the list, click here\n\nRest.", "It helps.\n\nRest."),
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
        "> 60 mL/min: 5 mg\n15-60 mL/min: 2.5 mg",
        ">65 years: 5 mg\n>= 80 years: 2.5 mg\n> $500: 10 %",
        "The __init__ method",
        "~~5 mg~~ 10 mg",
        "Escape input so that <script> cannot run. Then validate the length, and log every failure.",
        "Put it between <script> and </script> and nowhere else.",
        "residing at <address>, shall pay on <time>",
        "List<Object> or Map<Label>",
        "See more than one doctor if fever persists.",
        "Learn more about dosing: 5 mg/kg every 6 h",
        "It is so.\nCopyright (c) protection lasts 70 years.\nAll rights reserved to the states remain theirs.",
        "(c) 2019 was the second year",
        "Share this information with your doctor.",
        "To start the infusion, click the button. Then wait.",
        "Leer más libros mejora la memoria y la atención.",
        "Mehr lesen und weniger fernsehen hilft gegen Schlafstörungen.\nWeiterlesen kann man im Gesetz.",
        "版权所有人享有复制、发行和出租其作品的权利。",
        "阅读更多书籍有助于提高理解能力。\n查看更多的病例有助于提高诊断水平。",
    ],
)
def test_strip_markup_leaves_prose_and_code_alone(text):
    assert clean("strip_markup", text, markdown="all") == text


@pytest.mark.parametrize(
    ("linked", "plain"),
    [
        (
            "Do not exceed 4 g of paracetamol per day (see https://www.nhs.uk/p).",
            "Do not exceed 4 g of paracetamol per day.",
        ),
        (
            "Apply for Medicare Part B within 7 months of turning 65 via https://www.medicare.gov.",
            "Apply for Medicare Part B within 7 months of turning 65.",
        ),
        (
            "If you cannot tolerate statins see https://x.org/list for options and stop taking them at once.",
            "If you cannot tolerate statins for options and stop taking them at once.",
        ),
        (
            "详见https://www.example.cn/a中第三条规定的每日5毫克，不得超过",
            "中第三条规定的每日5毫克，不得超过",
        ),
        ("成人每日不超过五毫克，详见https://example.cn/a。", "成人每日不超过五毫克。"),
        ("heart disease See also: https://a.org/b | https://a.org/b?ref=share", "heart disease"),
        ("Max (4 g a day, see https://a.org).", "Max (4 g a day)."),
        ("Take it (see https://a.org, table 2) now.", "Take it (table 2) now."),
        ("The website https://a.org lists 20 mg.", "The website lists 20 mg."),
        ("Take 5 mg, see https://a.org, and rest.", "Take 5 mg, and rest."),
        ("Rest. See https://a.org/b.\n\nEat.", "Rest.\n\nEat."),
        ("Rest. For more information on childhood fever, please visit https://a.org/b. Eat.", "Rest. Eat."),
        ("Rest. Please see https://a.org/b for more information.", "Rest."),
        ("Rest.\n\nSources:\nhttps://a.org/b\n- https://a.org/c", "Rest."),
        ("更多信息请详见https://example.cn/a。", ""),
        ("Gout:\n- [Allopurinol](https://a.org/x)\n- [Rest](https://a.org/y)", "Gout:\n- Allopurinol\n- Rest"),
        ("[Allopurinol](https://a.org)", "Allopurinol"),
        ("| [A](https://a.org) | [B](https://b.org) |\n| 1 | 2 |", "| A | B |\n| 1 | 2 |"),
        ("[Home](/h) [News](/n) | [About](/a)\nRest.", "Rest."),
        ("Die Seite https://www.übung.de/ä hilft.", "Die Seite hilft."),
    ],
)
def test_strip_markup_takes_only_what_leads_to_an_address(linked, plain):
    assert clean("strip_markup", linked) == plain


ROW = "<tr><td>0-2</td><td>5 mg</td></tr>"


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        (f"<table>{ROW}<tr><td>3-5</td><td>10 mg</td></tr></table>", "0-2 | 5 mg\n3-5 | 10 mg"),
        (
            "Doses:<table>\n <tr>\n  <th>Age<th>Dose<br>(mg)\n <tr><td><td>5</table>All.",
            "Doses:\n\nAge | Dose (mg)\n| 5\n\nAll.",
        ),
        (f"<table><tr><td>a<table>{ROW}</table>b</td><td>c</td></tr></table>", "a\n0-2 | 5 mg\nb | c"),
        (
            f"<table><tr><td><p>{'Long. ' * 50}</p><p>Two.</p></td><td>c</td></tr></table>",
            f"{'Long. ' * 50}".strip() + "\n\nTwo.\nc",
        ),
    ],
)
def test_strip_markup_keeps_the_rows_and_cells_of_a_table(table, rows):
    assert clean("strip_markup", table) == rows


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("One.<p>Two.<p>Three.", "One.\nTwo.\n\nThree."),
        ("Rue <address>5</address>, <time datetime='x'>May</time>", "Rue 5, May"),
        ("a<style>\np { color: red }\n</style>b<SCRIPT src='x.js'></SCRIPT>c", "abc"),
        ("a <template><p>later</p></template>b", "a b"),
        ("a <script src='x.js'>b", "a b"),
        ("AT&amp;T &lt; <b>R&D</b>\ufdee", "AT&T < R&D"),
        ("Take <del>5 mg</del> <ins>10 mg</ins>.", "Take ~~5 mg~~ 10 mg."),
        (
            "The tenant shall <s>not</s> pay <strike>5</strike>10 euros.",
            "The tenant shall ~~not~~ pay ~~5~~ 10 euros.",
        ),
        ("10 <sup>6</sup>, 10<sup>3.5</sup>", "10^6, 10^3.5"),
    ],
)
def test_strip_markup_reads_a_page_as_it_is_shown(page, text):
    assert clean("strip_markup", page) == text


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        "<div>" * 150_000 + "x",
        "<table><tr><td>x" * 50_000,
        "<script>" * 50_000 + "</script>" * 50_000 + "x",
        "(" + " " * 100_000 + "x <b>y</b>",
        "https://a.org/b see" + " " * 100_000 + "x",
        "https://a.org/b " + "\n" * 100_000 + "x",
        "click here read more" + " " * 100_000 + "x",
        "# > ** x" + " " * 100_000 + "x",
    ],
)
def test_strip_markup_takes_time_in_proportion_to_a_text(text):
    assert clean("strip_markup", text, markdown="all")


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
        ("请拨打13812345678咨询", "请拨打[PHONE]咨询"),
        ("电话13812345678转张医生，或座机010-12345678转2", "电话[PHONE]转张医生，或座机[PHONE]转2"),
        ("邮箱zhang@example.com或致电", "邮箱[EMAIL]或致电"),
        ("如有任何问题发邮件至zhang@example.com。", "如有任何问题发邮件至[EMAIL]。"),
        ("如有任何疑问请联系张三医生，请tel:555 1234 9找他", "如有任何疑问请联系张三医生，请tel:[PHONE]找他"),
        ("连接192.0.2.1或2001:db8::ff00:42:8329服务器", "连接[IP]或[IP]服务器"),
        ("身份证11010519491231002X的卡4111111111111111和123-45-6789号", "身份证[ID]的卡[ID]和[ID]号"),
        ("メールはzhang@example.comへ、13812345678まで", "メールは[EMAIL]へ、[PHONE]まで"),
        ("zhang@example.com으로 보내 주세요", "[EMAIL]으로 보내 주세요"),
        ("ask élodie.brûlé@example.org first", "ask [EMAIL] first"),
        ("cell number 555 010 1234, cell phone 555-0101", "cell number [PHONE], cell phone [PHONE]"),
        (
            "call us at 555-1234, call 600 123 456 or 13812345678/13912345678",
            "call us at [PHONE], call [PHONE] or [PHONE]/[PHONE]",
        ),
        ("account number 12345678 or account number 4010-0012-99", "account number [ID] or account number [ID]"),
        ("Telefon: 030 1234567, Tel.: 030 1234567", "Telefon: [PHONE], Tel.: [PHONE]"),
        ("Rien d'autre que le tél. : 01 23 45 67 89 ne va", "Rien d'autre que le tél. : [PHONE] ne va"),
        ("No hay otro teléfono: 91 123 45 67 y nada", "No hay otro teléfono: [PHONE] y nada"),
        ("Mein Handy 0171 1234567", "Mein Handy [PHONE]"),
        ("手机是13812345678, mobile 212-555-0123", "手机是[PHONE], mobile [PHONE]"),
        (
            "Note: 192.0.2.1 and item 192.168.1.5, a rule for 192.0.2.2",
            "Note: [IP] and item [IP], a rule for [IP]",
        ),
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
        "The earnings call on 03/15/2024 and the margin call on 2024-03-15 10:30",
        "call on 15.03.2024, call on 20240315, call on 03/15/2024 - 03/20/2024, fax 2024-03-15",
        "Clause 14.2.1.3 applies; see also rule 5.1.2.3 and 5.1.2.4, Annex 11.1.2.3",
        "Reg. 5.1.2.3, step 5.1.2.3, sub-paragraph 5.1.2.3, 第5.1.2.3条和5.1.2.4条",
        "## 5.1.2.3 Scope",
        "cell number 2 000 000 per kg, cell number 5000000/ml, cell number 1000-5000 per ml",
        "call on 100 000 000 shares, call 2 000 000, a revenue of 15000000000 or $13812345678",
        "account number 40100 is receivables, account number 4010-00",
        "总额13812345678元，共15000000000个样本",
        "Revenue was USD 13512345678, RMB 15123456789 or 15123456789 yen; 15123456789円",
        "Net sales: 15123456789. Net profit: 13912345678. Total assets 18123456789 (2019).",
        "营业收入为15123456789",
        "doses of 300-600 1200 mg, 250-300 2010 patients",
        "rs13812345678, café13812345678, é13812345678",
    ],
)
def test_mask_contacts_leaves_other_numbers_alone(text):
    assert clean("mask_contacts", text) == text


def test_mask_contacts_takes_lines_of_chinese_for_what_they_say():
    assert clean("mask_contacts", "休息即可。电话：010-12345678。多喝水。") == "休息即可。多喝水。"
    advice = "患者应当立即前往就近的医院就诊并拨打13812345678咨询"
    assert clean("mask_contacts", advice) == "患者应当立即前往就近的医院就诊并拨打[PHONE]咨询"


def test_mask_contacts_leaves_code_beside_a_contact_as_it_is():
    text = "Rest is best. Mail a@b.org.\n```\nprint('a  b')\n```"
    assert clean("mask_contacts", text) == "Rest is best.\n```\nprint('a  b')\n```"


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
        ("Title¶ of ¶the wo¶rd.¶ ¶", "Title of the word."),
        ("The ★heart, t★o the lungs★. ★", "The heart, to the lungs."),
        ("★★★ SALE ★★★ ▲▲▲ of he○art", "SALE of heart"),
        ("A ***pain in the wo***rd. ***", "A pain in the word."),
        ("pa||in of ||heart||", "pain of heart"),
        ("he★art\n```\nday  dose\n```", "heart\n```\nday  dose\n```"),
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
        "Compl. ¶ 12; Decl. ¶¶ 4-6",
        "profit was ▲120 million yen",
        "ABC ▲ 3.2% and XYZ ▼ 1.5%",
        "▲3.2% today\n▲ 1.2% tomorrow\n• 3 % then",
        "·5 mg",
        "△ABC is right; A ◎, B ○, C △",
        "❶ Give 5 mg ❷ wait",
        "○",
        "★★★★☆",
        "Rating: ★★★★ for a 5★ hotel, ★★★☆ for another",
        "*** p<0.001, ** p<0.01",
        "***p<0.001, **p<0.01; 0.45*** and 2.1 ***",
        "id,name,,dose\n1;2;;3",
        "~~5 mg~~ 10 mg",
        "a || b, ||x|| = 5\n| a || b |\n1||pain||5",
        "张○○诉李○明",
        "□ yes\n■ no\n○ mild\n● severe",
        "Urine protein ++++, glucose +++; 尿蛋白（++++）",
        "(**** p < 0.0001)",
        "Give 5 \ufffdg at 37 \ufffdC; it costs \ufffd500.",
        "37 \u25e6C, 45\u25e6; 9.2% ► 6.8%",
        "ATG-----CCT, A -----> B",
        "A | B\n-------- | -------\n1 | 2",
        "| A | B |\n| -------- | ------- |\n|:------|------:|",
    ],
)
def test_special_characters_leaves_language_alone(text):
    assert clean("special_characters", text) == text


def test_special_characters_reads_the_font_symbol_at_numbers():
    assert clean("special_characters", "5 \uf06dg, CD4 \uf0b3 200, 37\uf0b0C") == "5 µg, CD4 ≥ 200, 37°C"
    assert clean("special_characters", "\uf0b7 an item") == "an item"


@pytest.mark.parametrize("answer", ["••••", "▒▒▒", "==========", "★★★★★★"])
def test_special_characters_empties_no_answer(answer):
    rows = [Record(f"{f}", (Message("user", "q"), Message("assistant", answer)), {}, f) for f in (True, False)]
    assert [r.answer for r in build("special_characters").apply(rows, Context())] == [answer]
    assert clean("special_characters", answer, max_share=1) == answer


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
