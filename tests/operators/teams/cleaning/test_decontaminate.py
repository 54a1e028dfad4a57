"""Evaluation records stay out of training, whatever they hide in."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.data.records import Message, Record
from operators.teams.base import Context
from operators.teams.registry import build
from operators.text.containment import References

QUESTION = "Which bacteria most often cause pneumonia in otherwise healthy young adults who live close together?"
ANSWER = (
    "Mycoplasma is found most often; chlamydia and the pneumococcus follow, and viruses play their part as well."
)


def qa(key, question, answer, flagged=None):
    return Record(str(key), (Message("user", question), Message("assistant", answer)), {}, flagged)


def left(rows, held_out, **params):
    kept, report = build("decontaminate", params).run(rows, Context(held_out=held_out))
    return [r.id for r in kept], report


def test_questions_and_answers_of_evaluation_records_are_found():
    rows = [
        qa("same question", QUESTION.lower().rstrip("?"), "Something else.", False),
        qa("reworded", "Please tell me: " + QUESTION.replace(" together?", "?"), "Something else."),
        qa("same answer", "Tell me about pneumonia.", ANSWER),
        qa("inside", "Exam?", f"Here is an exam. {QUESTION} It is hard. " + "Then follows a lot more text. " * 40),
        Record("later turn", (*qa(0, "Hello there!", "Hi.").messages, Message("user", QUESTION))),
        qa("other", "Which virus causes measles in children?", "The measles virus, a paramyxovirus."),
    ]
    kept, report = left(rows, [qa("e", QUESTION, ANSWER)])
    assert kept == ["other"]
    assert report.counts == {"asks_an_evaluation_question": 3, "contains_an_evaluation_text": 2}
    assert left(rows, [qa("e", QUESTION, ANSWER)], answers=False)[0] == ["same answer", "other"]
    assert left(rows, [])[0] == [r.id for r in rows]


def test_short_questions_are_compared_and_courtesies_are_not():
    held_out = [qa("e", "What is gout?", "Painful joints."), qa("f", "Yes, please.", "Good."), qa("g", "", "")]
    rows = [
        qa("asked again", "what is gout", "Crystals of uric acid."),
        qa("other", "What is gout in dogs?", "Rare."),
        Record("polite", (*qa(0, "Shall I go on?", "If you like.").messages, Message("user", "Yes, please."))),
        qa("empty", "", ""),
    ]
    assert left(rows, held_out)[0] == ["other", "polite", "empty"]


def test_unspaced_scripts_are_compared_by_characters():
    held_out = [qa("e", "老年人患肺炎以后应该怎样护理才能恢复得比较快？", "注意休息，多喝水，按时服药。")]
    rows = [
        qa("copy", "请问老年人患肺炎以后应该怎样护理才能恢复得比较快", "多休息。"),
        qa("other", "老年人患高血压以后应该怎样控制饮食？", "少吃盐。"),
    ]
    assert left(rows, held_out)[0] == ["other"]


def test_a_template_filled_in_for_another_topic_is_no_copy():
    form = (
        "These resources address the diagnosis or management of {0}: the registry of genetic tests lists {0}, "
        "and the clinic for rare diseases answers questions about {1} and how it is passed on in families."
    )
    diseases = [f"{a} {b}" for a in ("alpha", "beta", "gamma", "delta") for b in ("anemia", "ataxia", "dystrophy")]
    held_out = [qa(d, f"How is {d} diagnosed?", form.format(d, d)) for d in diseases[:6]]
    rows = [qa(d, f"How is {d} diagnosed?", form.format(d, d)) for d in diseases]
    assert left(rows, held_out)[0] == diseases[6:]


def shingles(text, n):
    words = text.split()
    return {tuple(words[i : i + n]) for i in range(max(1, len(words) - n + 1))} if words else set()


WORDS = st.lists(st.sampled_from("abcdefg"), max_size=12).map(" ".join)


@settings(max_examples=80, deadline=None)
@given(st.lists(WORDS, max_size=6), st.lists(WORDS, max_size=6), st.integers(1, 3))
def test_similarities_equal_their_definitions(texts, references, n):
    of = References(references, n)
    sets = [shingles(r, n) for r in references if r]
    weight = {s: 1 / sum(s in each for each in sets) for each in sets for s in each}
    for text, jaccard, share in zip(texts, of.jaccard(texts), of.containment(texts), strict=True):
        mine = shingles(text, n)
        assert jaccard == pytest.approx(max((len(mine & s) / len(mine | s) for s in sets), default=0.0))
        shares = [sum(weight[x] for x in s & mine) / sum(weight[x] for x in s) for s in sets]
        assert share == pytest.approx(max(shares, default=0.0))


def test_records_are_judged_alone():
    rng = Random(1)
    words = [f"w{i}" for i in range(60)]
    held_out = [qa(i, " ".join(rng.choices(words, k=15)), " ".join(rng.choices(words, k=40))) for i in range(20)]
    rows = [qa(f"r{i}", " ".join(rng.choices(words, k=15)), " ".join(rng.choices(words, k=40))) for i in range(40)]
    rows += [qa(f"leak{i}", "Something else?", held_out[i].answer + " and more words") for i in range(5)]
    kept = left(rows, held_out)[0]
    assert set(kept) == {f"r{i}" for i in range(40)}
    rng.shuffle(rows)
    assert set(left(rows, held_out)[0]) == set(kept)
    assert left([r for r in rows if r.id in kept], held_out)[1].dropped == 0
