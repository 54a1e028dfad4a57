"""Templates that refuse a system turn, two turns of one speaker, or both."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.data.records import Message, Record
from operators.errors import ConfigError
from operators.training.answers import _prompt
from operators.training.templates import accepted, render
from operators.training.tokens import IGNORE, encode, load_tokenizer

IN_TURN = (
    "{% if messages[0]['role'] == 'system' %}{{ '[S]' + messages[0]['content'] + '\n' }}"
    "{% set messages = messages[1:] %}{% endif %}"
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate user/assistant/user/...') }}{% endif %}"
    "{{ '[' + m['role'][0] + ']' + m['content'] + eos_token + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '[a]' }}{% endif %}"
)
"""As Mistral's and Gemma 3's templates do it."""
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + IN_TURN
"""As Gemma 2's does."""
ROLES = ("system", "user", "assistant")
TURNS = st.lists(st.builds(Message, st.sampled_from(ROLES), st.text("ab\n", max_size=4)), min_size=1, max_size=6)


def tokenizer_with(template: str):
    tokenizer = load_tokenizer("smollm2-135m-instruct")
    tokenizer.chat_template = template
    return tokenizer


@pytest.fixture(scope="module")
def strict():
    return [tokenizer_with(t) for t in (IN_TURN, NO_SYSTEM)]


@pytest.fixture(scope="module")
def lenient():
    return load_tokenizer("smollm2-135m-instruct")


def text_of(messages: list[Message], tokenizer) -> str:
    return render(accepted(messages, tokenizer), tokenizer, to_answer=False)


@given(messages=TURNS)
def test_what_a_template_takes_is_left_as_it_is(messages, lenient):
    assert accepted(messages, lenient) == [{"role": m.role, "content": m.content} for m in messages]


@given(messages=TURNS)
def test_no_conversation_is_refused_and_nothing_is_lost(messages, strict):
    for tokenizer in strict:
        shown = text_of(messages, tokenizer)
        for role in ROLES:
            left = shown
            for content in (m.content for m in messages if m.role == role):
                assert content in left
                left = left[left.index(content) + len(content) :]
        assert _prompt(Record("r", tuple(messages)), tokenizer).endswith("[a]")


def test_turns_of_one_speaker_are_one(strict):
    said = [
        ("system", "Be brief."),
        ("user", "Hello."),
        ("user", "Fever?"),
        ("assistant", "Rest."),
        ("user", "Ta."),
    ]
    messages = [Message(role, text) for role, text in said]
    end = strict[0].eos_token
    talk = f"Hello.\nFever?{end}\n[a]Rest.{end}\n[u]Ta.{end}\n"
    assert text_of(messages, strict[0]) == f"[S]Be brief.\n[u]{talk}"
    assert text_of(messages, strict[1]) == f"[u]Be brief.\n{talk}"


def test_an_assistant_who_opens_is_read_but_not_learned(strict):
    record = Record(
        "r", (Message("assistant", "Welcome."), Message("user", "Fever?"), Message("assistant", "Rest."))
    )
    for tokenizer in strict:
        example = encode(record, tokenizer, 64)
        learned = [i for i, label in zip(example.input_ids, example.labels, strict=True) if label != IGNORE]
        assert tokenizer.decode(learned).strip() == f"Rest.{tokenizer.eos_token}"
        assert "[u]" + tokenizer.eos_token + "\n[a]Welcome." in tokenizer.decode(example.input_ids)


def test_a_template_that_takes_nothing_is_named():
    tokenizer = tokenizer_with("{{ raise_exception('never: ' + messages[0]['content']) }}")
    with pytest.raises(ConfigError, match=r"chat template of smollm2.* takes no conversation") as caught:
        accepted([Message("user", "private words")], tokenizer)
    assert "private" not in str(caught.value)
