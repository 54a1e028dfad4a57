import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.llm.checks import (
    copies,
    distinct_tokens,
    has_residue,
    negations,
    normalized,
    repetitiveness,
    script_overlap,
)


@pytest.mark.parametrize(
    "text",
    [
        "Here is the rewritten answer: fine.",
        "Sure, I can do that.",
        "I'm sorry, I cannot help.",
        "Question: what?\nAnswer: that.",
        "It says so. <data-12ab9f>",
        "fine <|im_end|>",
        "The improved answer is good.",
        "I’m sorry, but I can’t help with that medical question.",
        "Sorry, but I can't help with that.",
        "Unfortunately, I am unable to answer this.",
        "抱歉，我无法回答这个问题。",
        "作为一个人工智能语言模型，我不能。",
        "好的，以下是改写后的回答：多喝水。",
        "答案：多喝水。",
        "Lo siento, no puedo ayudar con eso.",
        "Es tut mir leid, das weiß ich nicht.",
        "Réponse : boire de l'eau.",
    ],
)
def test_residue_is_seen_unless_it_was_there_before(text):
    assert has_residue(text)
    assert not has_residue("Surely a sign of disease; here, it is rare.")
    assert not has_residue("Unfortunately there is no cure. 对不起作用的药物要停用。")
    if "<" not in text:
        assert not has_residue(text, original=text)


def test_repetitiveness():
    assert repetitiveness("A thickening of the skin on the palms and soles, often painful.") == 0
    assert repetitiveness("Q: A: " + "A: " * 40) > 0.9
    assert repetitiveness("皮肤增厚" * 10) > 0.8
    assert repetitiveness("no no") == 0


def test_distinct_tokens():
    assert distinct_tokens("Banana, banana! BANANA") == 1
    assert distinct_tokens("皮肤增厚") == 4
    assert distinct_tokens(" . ") == 0


def test_copies():
    source = "An abnormally increased level of the enzyme in the blood circulation of the patient."
    assert copies("an abnormally INCREASED level of the enzyme in the blood circulation", [source])
    assert not copies("A raised concentration of this enzyme was measured in plasma.", [source])
    assert not copies("What is it?", [source, "What is that?"])
    assert copies("what is it", ["What is it?"])


def test_negation():
    assert negations("Do not take it.") == 1
    assert negations("It isn’t safe WITHOUT food.") == 2
    assert negations("A notable node of the nose.") == 0
    assert [negations(t) for t in ("Nicht mit Alkohol.", "不要吃药，没有用。", "Ne pas boire.")] == [1, 2, 1]
    for denied, said in [
        ("孕妇不建议服用这种药物", "孕妇建议服用这种药物"),
        ("不吃", "吃"),
        ("Tome el medicamento sin alimentos.", "Tome el medicamento con alimentos."),
        ("Avoid aspirin if pregnant.", "Take aspirin if pregnant."),
        ("weder Milch noch Saft", "entweder Milch oder Saft"),
        ("Nothing helps.", "Something helps."),
    ]:
        assert negations(denied) == negations(said) + 1
    assert negations("不同的药物非常多，未来不断增加，除非无论如何") == 0


def test_what_reads_the_same():
    assert normalized("Ｗhat — IS it?!") == "what is it"
    assert normalized("कि दिन में") != normalized("की दीन मे"), "vowel signs make other words"
    assert normalized("كِتَاب") == normalized("كتاب")


def test_script_overlap():
    assert script_overlap("皮肤增厚", "Thickening of the skin") == 0
    assert script_overlap("皮膚が厚くなる症状です", "これは皮膚が厚くなることです") > 0.6
    assert script_overlap("皮膚が厚くなることです", "皮肤变厚的症状") < 0.6
    assert script_overlap("5 > 3", "anything") == 1


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80))
def test_checks_take_any_text(text):
    assert normalized(normalized(text)) == normalized(text)
    assert 0 <= repetitiveness(text) < 1
    assert 0 <= distinct_tokens(text) <= len(text)
    assert copies(text, [text])
    assert script_overlap(text, text) == pytest.approx(1)
    assert negations(text) == negations(text.upper())
    has_residue(text)
