import pytest

from operators.config import LoRA, Training
from operators.data.records import Message, Record
from operators.data.store import Store
from operators.training.lora import fine_tune

RECIPE = Training(
    steps=6, batch_size=4, learning_rate=2e-3, max_length=64, lora=LoRA(rank=4, last_layers=2, dropout=0.2)
)


def qa(i, question, answer):
    return Record(str(i), (Message("user", question), Message("assistant", answer)))


# Fewer records than a training sees: the second part begins in a later epoch.
TRAIN = [qa(i, f"What is item {i}?", f"It is wrench number {i}.") for i in range(7)]
QUESTIONS = [qa(100, "What is item 99?", "It is a wrench."), qa(101, "What is item 98?", "It is a wrench.")]


def test_a_training_in_two_parts_ends_with_the_same_bits(tmp_path):
    store = Store(str(tmp_path))
    whole = fine_tune(TRAIN, QUESTIONS, RECIPE, store)
    begun = fine_tune(TRAIN, QUESTIONS, RECIPE, store, until=2)
    assert (begun.steps, whole.steps) == (2, 6)
    assert whole.paused is None
    assert begun.question_nll != whole.question_nll
    ended = fine_tune(TRAIN, QUESTIONS, RECIPE, store, begun=begun)
    assert ended.adapter == whole.adapter
    assert ended.question_nll == whole.question_nll
    assert ended.steps == 6
    assert ended.paused is None
    assert ended.train_loss == pytest.approx(whole.train_loss)
    assert ended.seconds >= begun.seconds


def test_a_pause_of_another_adapter_is_refused(tmp_path):
    store = Store(str(tmp_path))
    begun = fine_tune(TRAIN, QUESTIONS, RECIPE, store, until=2)
    other = RECIPE.model_copy(update={"lora": LoRA(rank=4, last_layers=3)})
    with pytest.raises(ValueError, match="another model or adapter"):
        fine_tune(TRAIN, QUESTIONS, other, store, begun=begun)
