from operators.config import LoRA, Training
from operators.data.records import Message, Record
from operators.training.answers import generate
from operators.training.lora import load_model
from operators.training.tokens import load_tokenizer

TINY = Training(lora=LoRA(rank=4))


def said(*turns):
    return Record("1", tuple(Message(role, text) for role, text in turns))


def test_a_model_answers_all_before_the_last_answer_and_also_nothing():
    tokenizer = load_tokenizer(TINY.model)
    questions = [
        said(("user", "Say yes."), ("assistant", "x")),
        said(("user", "Say yes."), ("assistant", "another answer")),
        said(("assistant", "Welcome."), ("user", "Say yes.")),
        said(("assistant", "Welcome."), ("user", "Say yes."), ("assistant", "x")),
    ]
    answers = generate(load_model(TINY), questions, tokenizer, 4, batch_size=1)
    assert len(answers) == 4
    assert answers[0] == answers[1]


def test_each_question_gets_its_own_answer_however_they_are_batched():
    tokenizer = load_tokenizer(TINY.model)
    model = load_model(TINY)
    asked = [
        "What is the capital of France?",
        "Say yes.",
        "Name three colours of the rainbow, please.",
        "2 + 2 = ?",
    ]
    questions = [said(("user", text), ("assistant", "x")) for text in asked]
    alone = generate(model, questions, tokenizer, 6, batch_size=1)
    assert all(alone)
    assert len(set(alone)) == len(asked)
    assert generate(model, questions, tokenizer, 6, batch_size=3) == alone
    assert generate(model, questions[::-1], tokenizer, 6, batch_size=3) == alone[::-1]
