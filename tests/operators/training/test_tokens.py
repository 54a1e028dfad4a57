import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.data.records import Message, Record
from operators.models import local_path
from operators.training import tokens as tokens_module
from operators.training.templates import render
from operators.training.tokens import IGNORE, Room, encode, encode_all, encode_question, load_tokenizer, pad

THINKING = (
    "{% set ns = namespace(asked=-1) %}"
    "{% for m in messages %}{% if m['role'] == 'user' %}{% set ns.asked = loop.index0 %}{% endif %}{% endfor %}"
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}"
    "{% if m['role'] == 'assistant' and loop.last and loop.index0 > ns.asked %}"
    "{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{{ m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""The rule of Qwen3's template: an empty thought stands in the last answer alone, so later turns change earlier
ones."""
TURNS = st.lists(
    st.tuples(st.sampled_from(["user", "assistant"]), st.sampled_from(["", "Yes.", "One two three.", "\n", "é"])),
    max_size=6,
)


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer("smollm2-135m-instruct")


@pytest.fixture(scope="module")
def thinking():
    changed = load_tokenizer("smollm2-135m-instruct")
    changed.chat_template = THINKING
    return changed


def record(*turns):
    return Record("r", tuple(Message(role, text) for role, text in turns))


def learned(example, tokenizer):
    return tokenizer.decode(
        [i for i, label in zip(example.input_ids, example.labels, strict=True) if label != IGNORE]
    )


def test_only_the_answer_is_learned_with_its_end(tokenizer):
    example = encode(record(("user", "What is anemia?"), ("assistant", "Too few red cells.")), tokenizer, 128)
    assert learned(example, tokenizer).strip() == "Too few red cells.<|im_end|>"
    assert "What is anemia?" in tokenizer.decode(example.input_ids)


def test_every_assistant_turn_is_learned(tokenizer):
    turns = [("user", "One?"), ("assistant", "First."), ("user", "Two?"), ("assistant", "Second.")]
    text = learned(encode(record(*turns), tokenizer, 128), tokenizer)
    assert "First." in text
    assert "Second." in text
    assert "Two?" not in text


def test_answers_that_the_template_writes_anew_are_no_completions(thinking):
    turns = [("user", "One?"), ("assistant", "First."), ("user", "Two?"), ("assistant", "Second.")]
    example = encode(record(*turns), thinking, 128)
    assert learned(example, thinking) == "<think>\n\n</think>\n\nSecond.<|im_end|>\n"
    assert "First." in thinking.decode(example.input_ids)
    alone = encode(record(*turns[:2]), thinking, 128)
    assert learned(alone, thinking) == "<think>\n\n</think>\n\nFirst.<|im_end|>\n"


@pytest.mark.parametrize("name", ["tokenizer", "thinking"])
@settings(max_examples=60, deadline=None)
@given(turns=TURNS, length=st.integers(1, 80))
def test_a_label_is_the_token_at_its_place(request, name, turns, length):
    example = encode(record(*turns), request.getfixturevalue(name), length)
    if example is None:
        return
    assert len(example.labels) == len(example.input_ids) <= length
    pairs = zip(example.labels, example.input_ids, strict=True)
    assert all(label in (IGNORE, token) for label, token in pairs)


def test_an_opening_by_the_assistant_is_context(tokenizer):
    turns = [("assistant", "Welcome."), ("user", "One?"), ("assistant", "First.")]
    example = encode(record(*turns), tokenizer, 128)
    assert learned(example, tokenizer).strip() == "First.<|im_end|>"
    assert "Welcome." in tokenizer.decode(example.input_ids)
    assert encode(record(*turns[:2]), tokenizer, 128) is None


def test_what_an_assistant_says_before_any_user_is_not_learned(tokenizer):
    system, hello, more = ("system", "You are Bob."), ("assistant", "Hello."), ("assistant", "I am Bob.")
    assert encode(record(system, hello), tokenizer, 128) is None
    rest = [("user", "One?"), ("assistant", "First.")]
    for opening in ([system, hello], [hello, system], [hello, more], [hello, system, more]):
        example = encode(record(*opening, *rest), tokenizer, 128)
        assert learned(example, tokenizer).strip() == "First.<|im_end|>"
        assert "Hello." in tokenizer.decode(example.input_ids)


def test_a_model_without_a_template_is_asked_as_it_was_trained(tmp_path):
    bare = load_tokenizer("smollm2-135m-instruct")
    bare.chat_template = None
    bare.save_pretrained(tmp_path)
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).symlink_to(local_path("smollm2-135m-instruct") / name)
    plain = load_tokenizer(str(tmp_path))
    turns = [{"role": "user", "content": "Capital of France?"}, {"role": "assistant", "content": "Paris is."}]
    asked = plain(render(turns[:1], plain, to_answer=True))["input_ids"]
    trained = encode(record(*((t["role"], t["content"]) for t in turns)), plain, 64)
    start = trained.labels.index(next(label for label in trained.labels if label != IGNORE))
    assert trained.input_ids[:start] == asked, "the answer's first token follows the prompt"


def test_records_without_anything_to_learn_are_left_out(tokenizer):
    no_turn = record(("user", "Only a question"))
    cut = record(("user", "long " * 200), ("assistant", "unreachable"))
    good = record(("user", "q"), ("assistant", "a"))
    assert encode(no_turn, tokenizer, 64) is None
    assert encode(cut, tokenizer, 64) is None
    assert len(encode_all([no_turn, cut, good], tokenizer, 64)) == 1


def test_padding_is_masked_and_positions_start_at_the_text(tokenizer):
    examples = encode_all(
        [record(("user", "q"), ("assistant", "a")), record(("user", "q " * 9), ("assistant", "b"))], tokenizer, 64
    )
    batch = pad(examples, tokenizer.pad_token_id)
    short = len(examples[0].input_ids)
    assert batch["attention_mask"].sum(1).tolist() == [short, len(examples[1].input_ids)]
    assert batch["position_ids"][0].max() == short - 1
    assert (batch["labels"][0] != IGNORE).sum() == sum(label != IGNORE for label in examples[0].labels)


def test_what_lies_beyond_the_limit_is_not_rendered(tokenizer, monkeypatch):
    turns = [("user", "Once more?"), ("assistant", "One two three.")] * 200
    expected = encode(record(*turns[:20]), tokenizer, 100)
    rendered, render = [], tokens_module.render
    monkeypatch.setattr(tokens_module, "render", lambda *a, **k: rendered.append(1) or render(*a, **k))
    assert encode(record(*turns), tokenizer, 100) == expected
    assert len(rendered) < 30, "else the work grows with the square of the turns"


@given(turns=TURNS, length=st.integers(1, 80))
@settings(max_examples=60, deadline=None)
def test_of_a_question_the_last_answer_alone_is_measured(tokenizer, turns, length):
    asked = record(*turns)
    found = encode_question(asked, tokenizer, length)
    if found is None:
        return
    last = max(i for i, (role, _) in enumerate(turns) if role == "assistant")
    said = encode_question(asked, tokenizer, 10_000)
    assert learned(said, tokenizer).strip() == f"{turns[last][1]}<|im_end|>".strip()
    assert said.input_ids[:length] == found.input_ids
    assert said.labels[:length] == found.labels


def test_a_question_needs_room_for_its_answer(tokenizer):
    many = [("user", "One?"), ("assistant", "First.")] * 30
    short = record(("user", "One?"), ("assistant", "First."))
    assert encode(record(*many), tokenizer, 100) is not None
    assert encode_question(record(*many), tokenizer, 100) is None
    assert encode_question(short, tokenizer, 100) == encode(short, tokenizer, 100)
    assert encode_question(record(("user", "One?")), tokenizer, 100) is None
    room = Room("smollm2-135m-instruct", 100)
    assert [room(short), room(record(*many)), room(record(("user", "word " * 20), ("assistant", "Yes.")))] == [
        True,
        False,
        True,
    ]
