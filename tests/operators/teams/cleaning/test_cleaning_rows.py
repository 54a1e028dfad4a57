"""The operators that drop records."""

from pathlib import Path
from random import Random

import numpy as np
import pytest

from operators.data.records import Message, Record
from operators.errors import ConfigError
from operators.models import SMOLLM2
from operators.teams.base import Context
from operators.teams.cleaning.answer_mismatch import Side, foreign_probability, mismatch_p_values
from operators.teams.registry import build


def qa(key, question, answer, flagged=None, **meta):
    return Record(str(key), (Message("user", question), Message("assistant", answer)), meta, flagged)


def kept_ids(name, records, context=None, **params):
    return [r.id for r in build(name, params).apply(records, context or Context())]


def test_length_bounds_counts_the_target_models_tokens():
    rows = [
        qa(0, "Capital of France?", "Paris"),
        qa(1, "?", "x"),
        qa(2, "q", "word " * 3000),
        qa(3, "q", "word " * 2000),
    ]
    kept, report = build("length_bounds").run(rows, Context(target_model=SMOLLM2))
    assert [r.id for r in kept] == ["0", "3"]
    assert report.counts == {"too_short": 1, "too_long": 1}
    assert kept_ids("length_bounds", rows, min_tokens=6) == ["3"]  # "Capital of France?Paris" is five tokens


def test_length_bounds_leaves_what_is_missing_to_generation():
    rows = [qa(0, "", "An answer of some length."), qa(1, "A question of some length?", ""), qa(2, "", " ")]
    kept, report = build("length_bounds").run(rows, Context())
    assert [r.id for r in kept] == ["0", "1"]
    assert report.counts == {"incomplete_kept": 2, "empty": 1}
    assert kept_ids("length_bounds", rows, keep_incomplete=False) == []
    with pytest.raises(ConfigError, match="min_tokens"):
        build("length_bounds", {"min_tokens": 9, "max_tokens": 5})


@pytest.mark.parametrize(
    ("stuck", "said_once"),
    [
        ("Movement of the " + "left eye " * 6 + "outwards.", "Movement of the left eye outwards."),
        ("Up to a a a a a a relatively high degree.", "Up to a relatively high degree."),
        ("It is a disease of the heart and its valves. " * 3, "It is a disease of the heart and its valves."),
        ("请注意休息" + "多喝水" * 6 + "。", "请注意休息多喝水。"),
        ("sooooooooooooo bad", "sooo bad"),
        ("It is very very very very good.", "It is very good."),
        ("Take 5 mg daily. " * 6, "Take 5 mg daily."),
        ("Take 5 mg of it at noon, with food. " * 5 + "Rest.", "Take 5 mg of it at noon, with food. Rest."),
        ("It is type 2 diabetes " + "type 2 diabetes " * 9, "It is type 2 diabetes"),
        ("of the heart, " + "heart, " * 9 + "and lungs", "of the heart, and lungs"),
        ("Thank you.\n" * 6, "Thank you."),
        ("haaaaaaaaaaaaa, nononononono", "haaa, no"),
    ],
)
def test_repetition_says_it_once(stuck, said_once):
    assert build("repetition").apply([qa(0, "q", stuck)], Context())[0].answer == said_once


@pytest.mark.parametrize(
    "text",
    [
        "It is very very important. No, no, no!",
        "0 0 0 0 0 0 0 0\n1 1 1 1 1 1 1 1",
        "The repeat CAGCAGCAGCAGCAGCAGCAG of the gene.",
        "The repeat cagcagcagcagcagcagcag or (gcaaaaaaaaaaaagc) of the gene.",
        "| Day 1-5 | 5 mg | 5 mg | 5 mg | 5 mg | 10 mg |",
        "| Hour | " + "5 mg | " * 24 + "10 mg |",
        "| dose | " + "5 mg | 10 mg | " * 6,
        "normal\tnormal\tnormal\tnormal\tnormal\traised",
        "Findings:\nnormal\nnormal\nnormal\nnormal\nraised",
        "Creatinine: 1.0 mg/dL, 1.0 mg/dL, 1.0 mg/dL, 1.0 mg/dL, 2.4 mg/dL",
        "Creatinine: 1.0 mg/dL 1.0 mg/dL 1.0 mg/dL 1.0 mg/dL 2.4 mg/dL",
        "Week 1: none, none, none, none, 5 mg.",
        "第一周：无，无，无，无，5毫克。",
        "for (;;) { x(); x(); x(); x(); x(); }",
        "糖尿病是一种慢性疾病，患者需要控制饮食并定期监测血糖，患者应该按时服药。",
    ],
)
def test_repetition_leaves_what_is_meant(text):
    assert build("repetition").apply([qa(0, "q", text)], Context())[0].answer == text


def test_repetition_drops_what_stays_repetitive_and_honours_the_flag():
    verse = " ".join(f"the same old words again and again {i % 2}" for i in range(12))
    rows = [qa("low", "q", verse, True), qa("clean", "q", verse, False), qa("other", "q", "Fine words.", True)]
    assert kept_ids("repetition", rows) == ["clean", "other"]
    assert kept_ids("repetition", [qa(0, "q", "left eye " * 6)], action="drop") == []


def test_repetition_does_not_count_the_cells_of_a_table():
    table = "| Hour | " + "5 mg | " * 24 + "10 mg |"
    assert kept_ids("repetition", [qa(0, "q", table)], action="drop") == ["0"]
    assert kept_ids("repetition", [qa(0, "q", "0 " * 100)]) == ["0"]


SENTENCES = [f"This is the complete answer number {i} with a stop." for i in range(20)]


def test_truncated_answers_are_trimmed_or_dropped():
    whole = [qa(i, "q", s) for i, s in enumerate(SENTENCES)]
    cut = [
        qa("trim", "q", "A first sentence of some length. And a second one that sto", True),
        qa("drop", "q", "It is a disease of the heart that affects the", True),
        qa("dots", "q", "Normal up to...", True),
        qa("clean", "q", "It is a disease of the heart that affects the", False),
        qa("label", "q", "Paris", True),
        qa("list", "q", "Signs are:\n- pain in the chest\n- cough at night\n- fever", True),
        qa("empty", "q", "", True),
    ]
    kept, report = build("truncated_answers").run(whole + cut, Context())
    after = {r.id: r.answer for r in kept}
    assert after["trim"] == "A first sentence of some length."
    assert set(after) == {r.id for r in whole + cut} - {"drop", "dots"}
    assert (report.changed, report.dropped) == (1, 2)


@pytest.mark.parametrize(
    "answer",
    [
        "The court held for the plaintiff in full. See Roe v. Wade, 410 U.S. 113 (1973)",
        "The claim of the plaintiff arises under 42 U.S.C. § 1983",
        "The rate of the loan is 5.25% (LIBOR + 200 bps)",
        "Take with food. The maximum is 40 mg/day",
    ],
)
@pytest.mark.parametrize("flagged", [None, True])
def test_values_and_citations_at_the_end_of_an_answer_are_no_truncation(answer, flagged):
    rows = [*(qa(i, "q", s) for i, s in enumerate(SENTENCES)), qa("it", "q", answer, flagged)]
    assert build("truncated_answers").apply(rows, Context()) == rows


def test_truncated_answers_follow_the_sets_own_style():
    style = [qa(i, "q", s.rstrip(".")) for i, s in enumerate(SENTENCES)]
    assert kept_ids("truncated_answers", style) == [r.id for r in style]
    signed = [qa(f"s{i}", "q", f"{s} NIH: National Cancer Institute", True) for i, s in enumerate(SENTENCES[:5])]
    rows = [qa(i, "q", s) for i, s in enumerate(SENTENCES)] + signed
    assert build("truncated_answers").apply(rows, Context()) == rows


def test_short_answers_are_judged_where_flagged_and_no_style_of_the_set():
    rows = [qa(i, "q", s) for i, s in enumerate(SENTENCES)]
    cut = [qa("cut", "q", "An abnormality", True), qa("unsure", "q", "An abnormality")]
    assert kept_ids("truncated_answers", rows * 2 + cut)[-1:] == ["unsure"]
    labels = [qa(f"l{i}", "q", "Paris", True) for i in range(5)]
    assert kept_ids("truncated_answers", rows + labels) == [r.id for r in rows + labels]


def pairs_of_topics(n, d, foreign, seed):
    """Unit vectors of questions and answers that share a topic, a share of the answers moved on by one."""
    rng = np.random.default_rng(seed)
    topics = rng.normal(size=(n, d))
    asked = topics + 0.7 * rng.normal(size=(n, d))
    answers = topics + 0.7 * rng.normal(size=(n, d))
    wrong = np.arange(n) < foreign * n
    answers[wrong] = np.roll(answers[wrong], 1, axis=0)
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (asked, answers)]
    return Side(unit[0].astype(np.float32)), Side(unit[1].astype(np.float32)), wrong


@pytest.mark.parametrize("foreign", [0.02, 0.1, 0.4])
def test_mismatch_threshold_follows_the_share_of_foreign_answers(foreign):
    asked, answers, wrong = pairs_of_topics(1000, 64, foreign, seed=1)
    p = mismatch_p_values(asked, answers, Side(asked.vectors[::2]), Side(answers.vectors[::2]))
    found = foreign_probability(p) >= 0.5
    assert found[wrong].mean() > 0.85
    assert found[~wrong].mean() < 0.02


def test_foreign_answers_have_uniform_p_values():
    asked, answers, wrong = pairs_of_topics(1000, 64, 1.0, seed=2)
    p = mismatch_p_values(asked, answers, Side(asked.vectors[::2]), Side(answers.vectors[::2]))
    assert wrong.all()
    assert np.histogram(p, 5, (0, 1))[0].min() > 140
    assert p.min() > 0


def test_nothing_is_foreign_where_all_fit():
    assert not (foreign_probability(np.full(500, 0.002)) >= 0.5).any()


WORDS = [w for w in Path(__file__).read_text("utf-8").split() if w.isalpha()][:60]


@pytest.mark.parametrize(
    "pairs",
    [
        [("Write a short discharge note.", f"Seen on day {i} for {w}.") for i, w in enumerate(WORDS)],
        [(f"Case {i}: {w}?", ("Yes.", "No.")[i * 7 % 3 == 0]) for i, w in enumerate(WORDS)],
    ],
    ids=["one question", "two answers"],
)
def test_where_similarity_tells_nothing_no_answer_is_foreign(pairs):
    rows = [qa(i, question, answer) for i, (question, answer) in enumerate(pairs)]
    kept, report = build("answer_mismatch").run(rows, Context())
    assert kept == rows
    assert report.counts["cannot_tell"] == len(rows)


def test_a_small_set_of_pairs_that_fit_is_kept():
    """By chance some p-values are rare: 4 of 45 lie above 0.2."""
    p = np.r_[np.full(38, 0.02), 0.07, 0.12, 0.12, 0.21, 0.26, 0.33, 0.6]
    assert not ((foreign_probability(p) >= 0.5) & (p >= 0.2) & (p < 0.5)).any()


def test_answer_mismatch_on_real_embeddings():
    topics = [
        "anemia",
        "a fracture",
        "asthma",
        "eczema",
        "gout",
        "a stroke",
        "pneumonia",
        "migraine",
        "measles",
        "glaucoma",
    ]
    facts = [
        "A lack of red blood cells or of haemoglobin in the blood.",
        "A bone that is broken or cracked, often after a fall.",
        "Narrow, inflamed airways that cause wheezing and short breath.",
        "An itchy inflammation of the skin with red, dry patches.",
        "Painful joints, often the big toe, from crystals of uric acid.",
        "The blood supply of a part of the brain is cut off.",
        "An infection that inflames the air sacs of the lungs.",
        "Throbbing headache on one side, with nausea and sensitivity to light.",
        "A contagious viral disease with fever and a red rash in children.",
        "Raised pressure in the eye that damages the optic nerve.",
    ]
    forms = ["What is {}?", "Explain {} to me.", "What does a doctor mean by {}?", "Describe {}.", "Define {}."]
    rows = [
        qa(f"{i}-{j}", f.format(t), a)
        for j, f in enumerate(forms)
        for i, (t, a) in enumerate(zip(topics, facts, strict=True))
    ]
    swapped = {f"{i}-{(i * 3) % 5}" for i in range(8)}
    mixed = [qa(r.id, r.question, facts[(int(r.id[0]) + 3) % 10], True) if r.id in swapped else r for r in rows]
    kept = kept_ids("answer_mismatch", mixed)
    assert kept == kept_ids("answer_mismatch", mixed)
    assert len(swapped - set(kept)) >= 6
    assert len({r.id for r in rows} - swapped - set(kept)) <= 2
    clean = [qa(r.id, r.question, r.answer, False) for r in mixed]
    assert kept_ids("answer_mismatch", clean) == [r.id for r in clean]


def test_exact_duplicates_ignore_form_but_not_content():
    rows = [
        qa(0, "What is 2-1?", "One.", True),
        qa(1, "what is  2-1", "“One”", False),
        qa(2, "What is 2+1?", "One."),
    ]
    assert kept_ids("exact_duplicates", rows) == ["1", "2"]
    assert kept_ids("exact_duplicates", rows, keep="first") == ["0", "2"]
    assert kept_ids("exact_duplicates", rows, normalise=False) == ["0", "1", "2"]


def test_exact_duplicates_tell_numbers_apart():
    rows = [qa(0, "How many?", "4 x 10⁶"), qa(1, "How many?", "4 x 106"), qa(2, "How many?", "4 x 10^6.")]
    assert kept_ids("exact_duplicates", rows, keep="first") == ["0", "1"]
    rows = [
        qa(0, "How many?", "2½ tablets"),
        qa(1, "How many?", "21/2 tablets"),
        qa(2, "How many?", "２½ tablets"),
    ]
    assert kept_ids("exact_duplicates", rows, keep="first") == ["0", "1"]
    rows = [qa(0, "Dose?", "Take .5 mg."), qa(1, "Dose?", "Take 5 mg."), qa(2, "Dose?", "take .5 mg ...")]
    assert kept_ids("exact_duplicates", rows, keep="first") == ["0", "1"]
    rows = [qa(0, "What is log₂8?", "3"), qa(1, "What is log28?", "3")]
    assert kept_ids("exact_duplicates", rows) == ["0", "1"]


def test_signs_make_another_record():
    def score(id_, sign):
        answer = f"It is a T-score of {sign}2.5. A score of {sign}2.5 tells how dense the bone is. " + BODY * 3
        return qa(id_, f"What does a T-score of {sign}2.5 mean?", answer)

    for name in ("exact_duplicates", "near_duplicates"):
        assert kept_ids(name, [score("a", "-"), score("b", "+")]) == ["a", "b"]
        sums = [qa("a", "What is 2+2*3?", "Work it out."), qa("b", "What is 2*2+3?", "Work it out.")]
        assert kept_ids(name, sums) == ["a", "b"]
        found = [
            qa(s, f"Is a patient with HBsAg ({s}) infectious?", f"With HBsAg ({s}): see below. {BODY}")
            for s in "+-"
        ]
        assert kept_ids(name, found) == ["+", "-"]


BODY = "It is an infection of the lungs that inflames the air sacs and may fill them with fluid, with a fever."


def test_near_duplicates_keep_the_best_copy():
    rows = [
        qa("low", "What is pneumonia?", BODY + " Rest helps many patients here.", True),
        qa("clean", "What is pneumonia?", BODY.lower(), False),
        qa("long", "What is pneumonia?", BODY + " Rest.", False),
        qa("other", "What is gout?", "Painful joints from crystals of uric acid in them."),
    ]
    assert kept_ids("near_duplicates", rows) == ["long", "other"]
    assert kept_ids("near_duplicates", rows, keep="first") == ["low", "other"]
    body = "肺炎是肺部的一种感染，会使肺泡发炎并可能充满液体，引起咳嗽和"
    chinese = [qa("a", "什么是肺炎？", body + "发烧。"), qa("b", "什么是肺炎", body + "发热。")]
    assert kept_ids("near_duplicates", chinese) == ["a"]


def test_of_near_copies_the_more_careful_one_stays():
    careless = [
        BODY.replace("the lungs", "the the lungs"),
        BODY.replace(",", " ,").replace(".", " ."),
        BODY.rstrip("."),
        BODY.replace("infection", "infetion"),
    ]
    for copy in careless:
        rows = [qa("copy", "What is pneumonia?", copy), qa("source", "What is pneumonia?", BODY)]
        assert kept_ids("near_duplicates", rows) == ["source"]
        assert kept_ids("near_duplicates", rows, keep="first") == ["copy"]


def test_near_duplicates_ignore_a_shared_system_prompt():
    prompt = Message("system", "You are a careful assistant of a hospital. " * 10)
    rows = [
        Record("0", (prompt, Message("user", "What is gout?"), Message("assistant", "Painful joints."))),
        Record("1", (prompt, Message("user", "What is gout?"), Message("assistant", "A disease of old kings."))),
    ]
    assert kept_ids("near_duplicates", rows) == ["0", "1"]


def test_semantic_duplicates_need_question_and_answer_alike():
    rows = [
        qa("a", "What is hypertension?", "It means that the pressure of the blood is too high.", True),
        qa("b", "What does hypertension mean?", "It means the blood pressure is too high.", False),
        qa("c", "What is hypertension?", "A breed of small hunting dogs from Scotland."),
    ]
    assert kept_ids("semantic_duplicates", rows, threshold=0.9) == ["b", "c"]
    assert kept_ids("semantic_duplicates", rows[:1]) == ["a"]


def test_semantic_search_in_cells_finds_what_exhaustive_search_finds():
    from operators.teams.cleaning.semantic_duplicates import similar_pairs

    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(20_500, 16)).astype(np.float32)
    vectors[20_000:] = vectors[:500] + 0.01 * rng.normal(size=(500, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = {tuple(p) for p in similar_pairs(vectors, 0.99, 8, seed=1).tolist()}
    assert len(pairs & {(i, 20_000 + i) for i in range(500)}) >= 490
    assert pairs == {tuple(p) for p in similar_pairs(vectors, 0.99, 8, seed=1).tolist()}


def test_order_of_input_is_kept():
    rng = Random(3)
    rows = [qa(i, f"Question {rng.random()}?", f"Answer {rng.random()} of {rng.random()}.") for i in range(60)]
    for name in ("exact_duplicates", "near_duplicates", "length_bounds", "repetition", "truncated_answers"):
        assert kept_ids(name, rows) == [r.id for r in rows]
