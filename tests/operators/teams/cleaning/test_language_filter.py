"""Which languages stay."""

import pytest

from operators.data.records import Message, Record
from operators.errors import ConfigError
from operators.teams.base import Context
from operators.teams.registry import build
from operators.text.language import identify, languages

SAID = {
    "en": "The patient should rest, drink a lot of water and take the tablets at the same hour every day.",
    "de": "Der Patient sollte sich ausruhen, viel Wasser trinken und die Tabletten stets zur selben Zeit nehmen.",
    "fr": "Le patient doit se reposer, boire beaucoup d'eau et prendre les comprimés chaque jour à la même heure.",
    "es": "El paciente debe descansar, beber mucha agua y tomar las pastillas todos los días a la misma hora.",
    "ru": "Пациент должен отдыхать, пить много воды и принимать таблетки каждый день в одно и то же время.",
    "zh": "患者需要注意休息，多喝水，每天在同一时间服用药片，长期控制饮食，定期监测血糖，避免过度劳累。",
    "ja": "患者は休息をとり、水をたくさん飲み、毎日同じ時間に錠剤を服用してください。食事にも注意が必要です。",
    "ar": "يجب على المريض أن يستريح ويشرب الكثير من الماء ويتناول الأقراص كل يوم في نفس الوقت.",
    "th": "ผู้ป่วยควรพักผ่อน ดื่มน้ำมาก ๆ และรับประทานยาเม็ดทุกวันในเวลาเดียวกัน",
    "hi": "रोगी को आराम करना चाहिए, खूब पानी पीना चाहिए और हर दिन एक ही समय पर गोलियाँ लेनी चाहिए।",
}


def qa(key, answer, flagged=None):
    return Record(str(key), (Message("user", "What now?"), Message("assistant", answer)), {}, flagged)


def kept(rows, **params):
    result, report = build("language_filter", params).run(rows, Context())
    return [r.id for r in result], report


def test_languages_are_told_apart():
    found = identify(list(SAID.values()))
    assert [code for code, _ in found] == list(SAID)
    assert min(probability for _, probability in found) > 0.6
    assert identify(["", "42 + 3", "😀"]) == [("", 0.0)] * 3
    assert set(SAID) <= languages()


def test_wanted_languages_stay_and_clean_records_are_no_exception():
    rows = [qa(code, text, flagged=False) for code, text in SAID.items()]
    ids, report = kept(rows, languages=["en", "zh"])
    assert ids == ["en", "zh"]
    assert report.counts == {"undecided": 0, "other_language": 8}
    with pytest.raises(ConfigError, match="languages: xx is none"):
        kept(rows, languages=["xx"])
    with pytest.raises(ConfigError, match="languages"):
        build("language_filter", {"languages": ["English"]})


def test_the_sets_own_languages_are_those_many_answers_are_in():
    rows = [qa(f"en{i}", SAID["en"]) for i in range(6)] + [qa(f"de{i}", SAID["de"]) for i in range(3)]
    rows.append(qa("fr", SAID["fr"]))
    assert kept(rows)[0] == [r.id for r in rows[:9]]
    assert kept(rows, least_share=0.5)[0] == [r.id for r in rows[:6]]
    once = [r for r in rows if r.id != "fr"]
    assert kept(once)[0] == [r.id for r in once]
    assert kept([rows[-1], *rows[:9]])[0] == [r.id for r in rows[:9]]


@pytest.mark.parametrize(
    "text", ["Paris", "", "42", "Metformin 500 mg", "```python\nfor x in y: print(x)\n```", "OK"]
)
def test_what_is_too_short_to_say_stays(text):
    assert kept([qa(0, text)], languages=["zh"])[0] == ["0"]


def test_all_answers_of_a_conversation_are_read():
    turns = [Message("user", "Hi"), Message("assistant", "Hi!")]
    for _ in range(3):
        turns += [Message("user", SAID["en"]), Message("assistant", SAID["de"])]
    record = Record("0", tuple(turns))
    assert kept([record], languages=["de"])[0] == ["0"]
    assert kept([record], languages=["en"])[0] == []
