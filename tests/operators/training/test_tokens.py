import pytest

from operators.data.records import Message, Record
from operators.training.tokens import IGNORE, encode, encode_all, load_tokenizer, pad


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer("smollm2-135m-instruct")


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


def test_records_without_anything_to_learn_are_left_out(tokenizer):
    no_turn = record(("user", "Only a question"))
    cut = record(("user", "long " * 200), ("assistant", "unreachable"))
    good = record(("user", "q"), ("assistant", "a"))
    assert encode(no_turn, tokenizer, 64) is None
    assert encode(cut, tokenizer, 64) is None
    assert len(encode_all([no_turn, cut, good], tokenizer, 64)) == 1


@pytest.mark.parametrize("left", [True, False])
def test_padding_is_masked_and_positions_start_at_the_text(tokenizer, left):
    examples = encode_all(
        [record(("user", "q"), ("assistant", "a")), record(("user", "q " * 9), ("assistant", "b"))], tokenizer, 64
    )
    batch = pad(examples, tokenizer.pad_token_id, left=left)
    short = len(examples[0].input_ids)
    assert batch["attention_mask"].sum(1).tolist() == [short, len(examples[1].input_ids)]
    assert batch["position_ids"][0].max() == short - 1
    assert (batch["labels"][0] != IGNORE).sum() == sum(label != IGNORE for label in examples[0].labels)
