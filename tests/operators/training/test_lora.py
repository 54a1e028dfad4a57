import functools
import json
import math
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.config import LoRA, Training
from operators.data.records import Message, Record
from operators.data.store import Store
from operators.errors import DataError, NothingLearned
from operators.training.lora import arguments, batches, evaluate, fine_tune
from operators.training.tokens import Example

TINY = Training(steps=6, batch_size=4, learning_rate=2e-3, max_length=64, lora=LoRA(rank=4, last_layers=2))


def qa(i, question, answer):
    return Record(str(i), (Message("user", question), Message("assistant", answer)))


TRAIN = [qa(i, f"What is item {i}?", "It is a wrench.") for i in range(8)]
QUESTIONS = [qa(100, "What is item 99?", "It is a wrench."), qa(101, "What is item 98?", "It is a wrench.")]


@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 40), size=st.integers(1, 9), steps=st.integers(1, 12), seed=st.integers(0, 3))
def test_every_strategy_sees_the_same_number_of_examples(n, size, steps, seed):
    examples = [Example([0] * (1 + i % 7), [0] * (1 + i % 7)) for i in range(n)]
    made = batches(examples, size, steps, seed)
    assert [len(b) for b in made] == [size] * steps
    counts = [sum(b.count(i) for b in made) for i in range(n)]
    assert max(counts) - min(counts) <= 1  # whole epochs before any record comes again
    assert made == batches(examples, size, steps, seed)


def test_training_lowers_the_loss_and_the_adapter_can_be_measured_again(tmp_path):
    store = Store(str(tmp_path))
    tuned = fine_tune(TRAIN, QUESTIONS, TINY, store)
    untuned = evaluate(None, QUESTIONS, TINY, store)
    assert sum(tuned.question_nll) < sum(untuned) - 1.0
    assert evaluate(tuned.adapter, QUESTIONS, TINY, store) == pytest.approx(tuned.question_nll)
    again = fine_tune(list(reversed(TRAIN)), QUESTIONS, TINY, store)
    assert again.adapter == tuned.adapter  # the order of the rows is no input


def test_an_adapter_says_nothing_of_the_machine_that_wrote_it(tmp_path):
    store = Store(str(tmp_path))
    tuned = fine_tune(TRAIN, QUESTIONS, TINY.model_copy(update={"steps": 1}), store)
    written = (store.get_directory(tuned.adapter) / "adapter_config.json").read_text("utf-8")
    # peft keeps the names in a set, in an order that differs from process to process.
    modules = json.loads(written)["target_modules"]
    assert len(modules) == 7
    assert modules == sorted(modules)
    assert json.loads(written)["base_model_name_or_path"] == "smollm2-135m-instruct"


def test_one_training_takes_one_gpu(tmp_path, monkeypatch):
    import torch
    from transformers import TrainingArguments

    def two_gpus(self):
        self._n_gpu = 2
        return torch.device("cpu")

    devices = functools.cached_property(two_gpus)
    devices.__set_name__(TrainingArguments, "_setup_devices")
    monkeypatch.setattr(TrainingArguments, "_setup_devices", devices)
    made = arguments(TINY, str(tmp_path))
    assert (made.n_gpu, made.train_batch_size) == (1, TINY.batch_size)


@settings(max_examples=50, deadline=None)
@given(steps=st.integers(1, 300), ratio=st.floats(0, 1))
def test_the_warm_up_is_a_share_of_the_steps(steps, ratio):
    from transformers import TrainingArguments

    recipe = TINY.model_copy(update={"steps": steps, "warmup_ratio": ratio})
    made = arguments(recipe, "unused").get_warmup_steps(steps)
    assert made == math.ceil(ratio * steps)
    if ratio < 1:  # what transformers makes of a share; it takes 1 for a number of steps
        assert made == TrainingArguments(output_dir="unused", warmup_steps=ratio).get_warmup_steps(steps)


def test_a_training_that_diverges_is_a_clear_error(tmp_path):
    wild = TINY.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(NothingLearned, match=r"diverged.*training\.learning_rate"):
        fine_tune(TRAIN, QUESTIONS, wild, Store(str(tmp_path)))


def test_a_model_whose_losses_are_not_finite_is_no_loser_of_a_comparison(tmp_path):
    import torch
    from safetensors.torch import load_file, save_file

    store = Store(str(tmp_path / "store"))
    adapter = fine_tune(TRAIN, QUESTIONS[:1], TINY, store).adapter
    broken = tmp_path / "broken"
    shutil.copytree(store.get_directory(adapter), broken)
    weights = load_file(broken / "adapter_model.safetensors")
    save_file({k: torch.full_like(v, torch.nan) for k, v in weights.items()}, broken / "adapter_model.safetensors")
    with pytest.raises(NothingLearned, match="losses are not finite"):
        evaluate(store.put_directory(broken), QUESTIONS, TINY, store)


def test_records_without_an_answer_are_a_clear_error(tmp_path):
    empty = [Record("1", (Message("user", "only a question"),))]
    with pytest.raises(DataError, match="none of the 1 records has an answer"):
        fine_tune(empty, QUESTIONS, TINY, Store(str(tmp_path)))


def test_sets_that_share_records_see_them_in_the_same_order():
    examples = [Example([i, i + 1], [i, i + 1]) for i in range(40)]
    shared = examples[:10] + examples[13:]
    orders = []
    for part in (examples, shared):
        # Batches of one: nothing is matched by length, so the order is the epoch's own.
        order = [part[b[0]].input_ids[0] for b in batches(part, 1, len(part), seed=5)]
        orders.append(order)
    # Within windows of four batches positions are permuted; the window of a shared record moves by at most one.
    window = {v: i // 4 for i, v in enumerate(orders[0])}
    moved = [abs(window[v] - i // 4) for i, v in enumerate(orders[1])]
    assert max(moved) <= 1
