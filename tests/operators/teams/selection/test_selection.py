import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.data.records import Message, Record
from operators.errors import ConfigError
from operators.teams.base import Context
from operators.teams.registry import build

METHODS = ["random_selection", "longest", "nearest_to_development", "ifd", "perplexity"]


def qa(i, question, answer):
    return Record(f"r{i}", (Message("user", question), Message("assistant", answer)))


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


@pytest.mark.parametrize("name", METHODS)
def test_keeps_the_share_in_input_order_and_repeats_itself(name):
    context = Context(seed=3, development=DEVELOPMENT)
    kept, report = build(name, {"share": 0.5}).run(MEDICAL, context)
    assert len(kept) == 3
    assert [MEDICAL.index(r) for r in kept] == sorted(MEDICAL.index(r) for r in kept)
    assert report.dropped == 3
    assert build(name, {"share": 0.5}).run(MEDICAL, context)[0] == kept


def test_nearest_to_development_leaves_other_subjects_out():
    kept = build("nearest_to_development", {"share": 0.66}).apply(MEDICAL, Context(development=DEVELOPMENT))
    assert {r.id for r in kept}.isdisjoint({"r3", "r4"})


def test_nearest_to_development_without_development_questions_says_what_to_do():
    with pytest.raises(ConfigError, match="search_questions"):
        build("nearest_to_development").apply(MEDICAL, Context())


def test_ifd_ranks_mismatched_and_missing_answers_last():
    mixed = [
        qa(0, "What is the capital of France?", "The capital of France is Paris."),
        qa(1, "How do birds fly?", ""),
        qa(2, "What is two plus two?", "Two plus two is four."),
    ]
    operator = build("ifd", {"share": 0.6})
    assert "r1" not in {r.id for r in operator.apply(mixed, Context())}


@settings(max_examples=30, deadline=None)
@given(n=st.integers(0, 40), share=st.floats(0.01, 1.0), seed=st.integers(0, 9))
def test_random_selection_depends_on_id_and_seed_alone(n, share, seed):
    records = [qa(i, f"q{i}", f"a{i}") for i in range(n)]
    operator = build("random_selection", {"share": share})
    kept = operator.apply(records, Context(seed=seed))
    assert kept == operator.apply(records, Context(seed=seed))
    backwards = operator.apply(records[::-1], Context(seed=seed))
    assert {r.id for r in kept} == {r.id for r in backwards}
