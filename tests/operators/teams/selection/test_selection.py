"""What holds for all selections, and what each is for."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from messages_peer import message

from operators.config import Endpoint
from operators.data.records import Message, Record
from operators.digest import digest
from operators.errors import ConfigError
from operators.llm.client import LLMClient
from operators.strategist.space import Team
from operators.teams.base import Context
from operators.teams.registry import build, operators

METHODS = sorted(n for n, c in operators().items() if c.team is Team.SELECTION and not n.startswith("mark_"))
QUICK = [n for n in METHODS if not operators()[n].needs_model]
AIMED = ["gradient_influence", "nearest_to_development", "rds_plus"]
SMALL = {"gradient_influence": {"warmup_steps": 1, "last_layers": 1, "dimensions": 64}}


def qa(i, question, answer, flagged=None):
    return Record(f"r{i}", (Message("user", question), Message("assistant", answer)), flagged=flagged)


MEDICAL = [
    qa(0, "What is anemia?", "A lack of red blood cells."),
    qa(1, "What is a fracture?", "A broken bone."),
    qa(2, "What is asthma?", "A disease of the airways with wheezing."),
    qa(3, "What is an engine?", "A machine that turns fuel into motion."),
    qa(4, "What is a sonnet?", "A poem of fourteen lines with a set rhyme."),
    qa(5, "What is eczema?", "An itchy inflammation of the skin."),
]
DEVELOPMENT = [
    qa(9, "What is pneumonia?", "An infection of the lungs."),
    qa(8, "What is gout?", "Painful joints."),
]
TALK = Record(
    "talk",
    (
        Message("system", "Be brief."),
        Message("user", "What is fever?"),
        Message("assistant", "A raised temperature of the body."),
        Message("user", "And chills?"),
        Message("assistant", "Shivering while feeling cold."),
    ),
)
EDGE = [qa("none", "What is a cold?", ""), qa("asks", "", "A runny nose."), Record("empty", ()), TALK]


class Untouchable(Sequence):
    """Held-out questions that nobody may look at."""

    def __len__(self):
        raise AssertionError("a selection looked at judging questions")

    def __getitem__(self, place):
        raise AssertionError("a selection looked at judging questions")


@pytest.fixture(scope="module")
def rating():
    """A client whose model rates a conversation by a digest of its text, from 1 to 5 a criterion."""
    from messages_peer import MessagesPeer

    def behaviour(body, _before):
        text = digest(body["messages"])
        return message(
            json.dumps({c: 1 + int(text[i], 16) % 5 for i, c in enumerate(("accuracy", "helpfulness", "clarity"))})
        )

    peer = MessagesPeer(behaviour)
    yield LLMClient(Endpoint(model="m", base_url=peer.base_url))
    peer.close()


@pytest.fixture
def context(rating):
    return Context(seed=3, development=DEVELOPMENT, held_out=Untouchable(), llm=rating)


@pytest.mark.parametrize("name", METHODS)
def test_keeps_the_share_whatever_the_order_and_never_sees_judging_questions(name, context):
    records = [*MEDICAL, *EDGE]
    operator = build(name, {"share": 0.5, **SMALL.get(name, {})})
    kept, report = operator.run(records, context)
    assert len(kept) == report.dropped == 5
    assert [records.index(r) for r in kept] == sorted(records.index(r) for r in kept)
    assert all(r in records for r in kept)  # nothing is changed
    backwards = operator.apply(records[::-1], context)
    assert backwards == kept[::-1]


@pytest.mark.parametrize("name", QUICK)
def test_flagged_records_come_last(name, context):
    low = [qa(f"low{i}", f"What is thing {i}?", "A thing. " * (i + 1), True) for i in range(3)]
    records = [*low, *MEDICAL]
    kept, report = build(name, {"flagged_last": True, "share": 0.5}).run(records, context)
    assert len(kept) == 5
    assert report.counts["flagged_kept"] == 0
    # Without scoring: all others are kept, and one of the flagged ones.
    kept, report = build(name, {"flagged_last": True, "share": 0.75}).run(records, context)
    assert len(kept) == 7
    assert set(MEDICAL) < set(kept)
    assert report.counts["flagged_kept"] == 1


@pytest.mark.parametrize("name", METHODS)
def test_one_record_or_none(name, context):
    operator = build(name, {"share": 0.01, **SMALL.get(name, {})})
    assert operator.apply([], context) == []
    assert operator.apply(MEDICAL[:1], context) == MEDICAL[:1]


@pytest.mark.parametrize("name", METHODS)
def test_parameters_are_documented_and_bounded(name):
    cls = operators()[name]
    for field, info in cls.params_type.model_fields.items():
        assert info.description, f"{name}.{field} has no description"
    with pytest.raises(ConfigError, match=f"operator {name}: share"):
        build(name, {"share": 0})


@given(n=st.integers(1, 60), share=st.floats(0.01, 1.0))
@settings(max_examples=50, deadline=None)
def test_the_number_kept_is_the_share_rounded_up(n, share):
    records = [qa(i, f"q{i}", f"a{i}") for i in range(n)]
    kept = build("longest", {"share": share}).apply(records, Context())
    assert share * n - 1e-5 <= len(kept) < share * n + 1


def test_a_share_of_a_tenth_of_thirty_is_three():
    assert len(build("longest", {"share": 0.1}).apply([qa(i, "q", f"a{i}") for i in range(30)], Context())) == 3


@settings(max_examples=30, deadline=None)
@given(n=st.integers(0, 40), share=st.floats(0.01, 1.0), seed=st.integers(0, 9))
def test_random_selection_depends_on_id_and_seed_alone(n, share, seed):
    records = [qa(i, f"q{i}", f"a{i}") for i in range(n)]
    operator = build("random_selection", {"share": share})
    kept = operator.apply(records, Context(seed=seed))
    assert kept == operator.apply(records, Context(seed=seed))
    backwards = operator.apply(records[::-1], Context(seed=seed))
    assert {r.id for r in kept} == {r.id for r in backwards}


@pytest.mark.parametrize("name", AIMED)
def test_without_development_questions_says_what_to_do(name):
    with pytest.raises(ConfigError, match="search_questions"):
        build(name).apply(MEDICAL, Context())


def test_nearest_to_development_leaves_other_subjects_out():
    kept = build("nearest_to_development", {"share": 0.66}).apply(MEDICAL, Context(development=DEVELOPMENT))
    assert {r.id for r in kept}.isdisjoint({"r3", "r4"})


CAPITALS = [
    ("France", "Paris"), ("Spain", "Madrid"), ("Japan", "Tokyo"), ("Egypt", "Cairo"), ("Peru", "Lima"),
    ("Italy", "Rome"), ("Kenya", "Nairobi"), ("Norway", "Oslo"), ("Cuba", "Havana"), ("Ghana", "Accra"),
]  # fmt: skip
STAINS = ["wine", "ink", "grass", "coffee", "mud", "rust"]


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("rds_plus", {}),
        ("gradient_influence", {"warmup_steps": 4, "last_layers": 2}),
        ("gradient_influence", {"warmup_steps": 4, "last_layers": 2, "toward": "max"}),
    ],
)
def test_records_of_the_development_questions_kind_outrank_others(name, params):
    capitals = [qa(c, f"What is the capital of {c}?", f"The capital of {c} is {t}.") for c, t in CAPITALS]
    stains = [
        qa(s, f"How do I remove {s} from a shirt?", f"Soak the {s} in cold water, rub in soap, then wash it warm.")
        for s in STAINS
    ]
    context = Context(development=capitals[6:])
    kept = build(name, params).apply([*stains, *capitals[:6]], context)
    assert set(kept) == set(capitals[:6])
    kept = build(name, params).apply([*stains[:3], *capitals], Context(development=stains[3:]))
    assert set(stains[:3]) < set(kept)


def test_ifd_ranks_mismatched_and_missing_answers_last():
    mixed = [
        qa(0, "What is the capital of France?", "The capital of France is Paris."),
        qa(1, "How do birds fly?", ""),
        qa(2, "What is two plus two?", "Two plus two is four."),
    ]
    operator = build("ifd", {"share": 0.6})
    assert "r1" not in {r.id for r in operator.apply(mixed, Context())}


def test_ifd_of_a_conversation_depends_on_all_of_its_questions():
    ask = ("What is the capital of France?", "And of Japan?")
    told = ("The capital of France is Paris.", "The capital of Japan is Tokyo.")

    def talk(name, first, second):
        turns = [(first, told[0]), (second, told[1])]
        return Record(name, tuple(Message(r, t) for q, a in turns for r, t in (("user", q), ("assistant", a))))

    records = [talk("fits", *ask), talk("first", "Sing me a song.", ask[1])]
    fits, first = build("ifd").scores(records, Context())
    assert 0 < fits < abs(first)  # an unfitting first question helps less


@pytest.mark.parametrize("name", ["rds_plus", "gradient_influence"])
def test_development_questions_that_are_too_long_are_named(name):
    records = [qa(c, f"What is the capital of {c}?", f"It is {t}.") for c, t in CAPITALS]
    aims = [qa(r.id, "Read this. " * 30 + r.question, r.answer) for r in records[:2]]
    with pytest.raises(
        ConfigError, match=rf"{name}: no development question .* within 32 tokens: raise its max_length"
    ):
        build(name, {"max_length": 32}).apply(records, Context(development=aims))
