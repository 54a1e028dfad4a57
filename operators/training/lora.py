"""LoRA fine-tuning of the target model, and its evaluation while it is loaded."""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from operators.config import Training
from operators.data.records import Record, conversation_digest
from operators.data.store import BlobRef, Store
from operators.digest import canonical_json, sha256_bytes
from operators.errors import DataError, NothingLearned
from operators.precision import native_precision
from operators.results import LLMUsage
from operators.training import frozen
from operators.training.likelihood import answer_logits, answer_nll
from operators.training.paused import captured, pause, resumed, steps_done
from operators.training.tokens import Example, encode_all, encode_question, load_tokenizer, pad

Progress = Callable[[str, int, int], None]


class FineTune(BaseModel):
    """A trained adapter and what it was measured at. Losses are nats per token; answers lie in the store."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())
    adapter: BlobRef
    examples: int
    steps: int
    train_loss: float
    question_nll: list[float]
    """Per evaluation question, in their order: mean NLL of the held-out answer."""
    answers: BlobRef | None = None
    """JSON list of the model's own answers, where they were asked for."""
    answering: LLMUsage = LLMUsage()
    """What a server was asked for them."""
    paused: BlobRef | None = None
    """What it takes to go on, where training stopped before its last step."""
    seconds: float


def load_model(recipe: Training) -> Any:
    """The target model in the recipe's precision on the best device of this process."""
    import torch
    from transformers import AutoModelForCausalLM

    from operators.models import local_path

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = getattr(torch, native_precision() if recipe.dtype == "auto" else recipe.dtype)
    model: Any = AutoModelForCausalLM.from_pretrained(local_path(recipe.model), dtype=dtype)
    return model.to(device)


def fine_tune(
    records: Sequence[Record],
    questions: Sequence[Record],
    recipe: Training,
    store: Store,
    *,
    answer_tokens: int = 0,
    until: int | None = None,
    begun: FineTune | None = None,
    progress: Progress = lambda _label, _done, _total: None,
) -> FineTune:
    """Trains `recipe.steps` optimizer steps on `records` and measures the model on `questions`.

    The order of `records` does not matter: rows are sorted by content before the seeded shuffle. With
    `answer_tokens` > 0 the tuned model also answers every question, greedily. `until` stops after so many steps,
    in a way that another call goes on from: with `begun`, what the first call gave for the same records and
    recipe. On a CPU the two together give the adapter that one call gives, bit for bit. Raises NothingLearned
    where no record has anything to learn from, or the training diverges.
    """
    import torch

    start = time.perf_counter()
    tokenizer = load_tokenizer(recipe.model)
    examples = encode_all(sorted(records, key=conversation_digest), tokenizer, recipe.max_length)
    if not examples:
        raise NothingLearned(
            f"none of the {len(records)} records has an answer that fits training.max_length="
            f"{recipe.max_length} tokens: raise it, or look at what the strategy leaves"
        )
    torch.manual_seed(recipe.seed)
    model = with_adapter(load_model(recipe), recipe)
    state = resumed(model, store.get_bytes(begun.paused.sha256)) if begun and begun.paused else None
    with frozen.reused(model, recipe):
        trained = train(model, examples, tokenizer, recipe, progress, until=until, state=state)
        nll = _finite(_evaluate(model, questions, tokenizer, recipe, progress))
    paused = None
    if trained.steps < recipe.steps:
        paused = store.put_bytes(captured(model, trained.optimizer, trained.schedule, trained.steps))
    answers = None
    if answer_tokens:
        from operators.training.answers import generate

        texts = generate(model, questions, tokenizer, answer_tokens, progress)
        answers = store.put_bytes(_json(texts))
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        (Path(folder) / "README.md").unlink(missing_ok=True)  # a model card of boilerplate
        _settle(Path(folder) / "adapter_config.json", recipe)
        adapter = store.put_directory(Path(folder))
    return FineTune(
        adapter=adapter,
        examples=len(examples),
        steps=trained.steps,
        train_loss=_mean_loss(trained, begun),
        question_nll=nll,
        answers=answers,
        paused=paused,
        seconds=round((begun.seconds if begun else 0.0) + time.perf_counter() - start, 2),
    )


def _settle(config: Path, recipe: Training) -> None:
    """Takes out of an adapter's configuration what differs between processes and machines, so that equal adapters
    are equal bytes: peft keeps the names of layers in a set, and names the model by where it lies here. Whoever
    loads the adapter gives the model as well."""
    values = json.loads(config.read_text("utf-8"))
    values["target_modules"] = sorted(values["target_modules"])
    values["base_model_name_or_path"] = Path(recipe.model).name
    config.write_text(json.dumps(values, indent=2, sort_keys=True), "utf-8")


def _mean_loss(trained: Trained, begun: FineTune | None) -> float:
    """Over all steps, those of the first part included."""
    if begun is None:
        return trained.loss
    return (begun.train_loss * begun.steps + trained.loss * (trained.steps - begun.steps)) / trained.steps


def evaluate(
    adapter: BlobRef | None,
    questions: Sequence[Record],
    recipe: Training,
    store: Store,
    *,
    progress: Progress = lambda _label, _done, _total: None,
) -> list[float]:
    """NLL per question of a stored adapter (None: the untuned model), in nats per token. Raises NothingLearned
    where one is not finite."""
    tokenizer = load_tokenizer(recipe.model)
    model = load_model(recipe)
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, store.get_directory(adapter))
    with frozen.reused(model, recipe):
        return _finite(_evaluate(model, questions, tokenizer, recipe, progress))


def _finite(nll: list[float]) -> list[float]:
    if not all(map(math.isfinite, nll)):
        raise NothingLearned(
            "the fine-tune diverged, its losses are not finite: lower training.learning_rate, or set "
            "training.dtype to float32"
        )
    return nll


def _evaluate(
    model: Any, questions: Sequence[Record], tokenizer: Any, recipe: Training, progress: Progress
) -> list[float]:
    examples = [encode_question(q, tokenizer, recipe.max_length) for q in questions]
    whole = [e for e in examples if e is not None]
    if len(whole) < len(examples):
        raise DataError(
            f"{len(examples) - len(whole)} of {len(examples)} evaluation questions leave no room for their "
            f"answer within training.max_length={recipe.max_length}: raise it"
        )
    return answer_nll(
        model, whole, tokenizer.pad_token_id, progress=lambda done, total: progress("evaluate", done, total)
    )


def with_adapter(model: Any, recipe: Training) -> Any:
    """The model with a fresh adapter on all linear layers of the recipe's blocks; only that can be trained."""
    from peft import LoraConfig, get_peft_model

    layers = model.config.num_hidden_layers
    # All linear layers of the chosen blocks; named by suffix, since peft takes no layer range with "all-linear".
    linear = sorted(
        {n.rsplit(".", 1)[-1] for n, m in model.named_modules() if type(m).__name__ in ("Linear", "Conv1D")}
        - {"lm_head", "embed_out"}
    )
    return get_peft_model(
        model,
        LoraConfig(
            r=recipe.lora.rank,
            lora_alpha=recipe.lora.alpha,
            lora_dropout=recipe.lora.dropout,
            target_modules=linear,
            layers_to_transform=list(range(frozen.frozen_blocks(layers, recipe), layers)),
            task_type="CAUSAL_LM",
        ),
    )


class Trained(NamedTuple):
    """Mean training loss of the steps that were taken, in nats per token; how many steps there are now; and
    optimizer and schedule as the last step left them."""

    loss: float
    steps: int
    optimizer: Any
    schedule: Any


def train(
    model: Any,
    examples: list[Example],
    tokenizer: Any,
    recipe: Training,
    progress: Progress,
    *,
    until: int | None = None,
    state: dict[str, Any] | None = None,
) -> Trained:
    """Trains what can be trained of `model`, in place, up to step `until` (all `recipe.steps` of them without
    it), from the start or from where `state` left off (`operators.training.paused`)."""
    from transformers import Trainer, TrainerCallback

    done = steps_done(state)

    class Report(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
            progress("train", done + state.global_step, state.max_steps)

    def collate(batch: list[dict[str, Example]]) -> dict[str, Any]:
        return pad([item["example"] for item in batch], tokenizer.pad_token_id)

    order = batches(examples, recipe.batch_size, recipe.steps, recipe.seed)
    rows = [{"example": examples[i]} for batch in order[done:] for i in batch]
    with tempfile.TemporaryDirectory() as folder:
        trainer = _completion_trainer(Trainer)(
            model=model,
            args=arguments(recipe, folder),
            train_dataset=rows,
            data_collator=collate,
            callbacks=[Report(), pause(until or recipe.steps, state)],
        )
        loss = float(trainer.train().training_loss)
    return Trained(loss, done + trainer.state.global_step, trainer.optimizer, trainer.lr_scheduler)


def arguments(recipe: Training, folder: str) -> Any:
    """The `TrainingArguments` of a recipe, for one device; a trainer may write to `folder`."""
    import torch
    from transformers import TrainingArguments

    made: Any = TrainingArguments(
        output_dir=folder,
        max_steps=recipe.steps,
        per_device_train_batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        warmup_steps=math.ceil(recipe.steps * recipe.warmup_ratio),  # a ratio of 1 would be taken for one step
        lr_scheduler_type="linear",
        weight_decay=0.0,
        seed=recipe.seed,
        use_cpu=not torch.cuda.is_available(),
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
    # Of several visible GPUs the trainer would use all: batches would grow with their number, and `answer_logits`
    # cannot be split over them. The count is settled when the arguments are made, and not looked up again.
    made._n_gpu = min(made.n_gpu, 1)
    return made


def batches(examples: Sequence[Example], size: int, steps: int, seed: int) -> list[list[int]]:
    """`steps` batches of `size` example numbers: seeded epochs, each cut into batches of similar length.

    An example's place in an epoch is drawn from its own content, so two sets that share most records see these in
    the same order (common random numbers): otherwise the luck of the shuffle would drown what a strategy does.
    Lengths are matched within windows of 4 batches only: fewer padding tokens, and still random order. Every
    batch is full, so every strategy sees the same number of examples, however few records it leaves.
    """
    import numpy as np

    needed = size * steps
    copies: Counter[str] = Counter()
    contents = []
    for e in examples:
        content = canonical_json([e.input_ids, e.labels])
        contents.append(f"{content}:{copies[content]}")  # copies of a record get places of their own
        copies[content] += 1
    stream: list[int] = []
    epoch = 0
    while len(stream) < needed:
        draws = [sha256_bytes(f"{seed}:{epoch}:{c}".encode()) for c in contents]
        stream += sorted(range(len(examples)), key=draws.__getitem__)
        epoch += 1
    stream = stream[:needed]
    rng = np.random.default_rng(seed)
    window = 4 * size
    result: list[list[int]] = []
    for start in range(0, needed, window):
        part = sorted(stream[start : start + window], key=lambda i: len(examples[i].input_ids))
        cut = [part[i : i + size] for i in range(0, len(part), size)]
        result += [cut[i] for i in rng.permutation(len(cut))]
    return result


def _completion_trainer(base: type) -> type:
    """A Trainer that takes the rows in the order given, since `batches` has already shuffled them, and projects
    onto the vocabulary where there is something to learn: on a CPU a step then takes a quarter less time."""

    class CompletionTrainer(base):
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            from torch.utils.data import SequentialSampler

            return SequentialSampler(train_dataset if train_dataset is not None else self.train_dataset)

        def compute_loss(self, model: Any, inputs: Any, *_args: Any, **_kwargs: Any) -> Any:
            from torch.nn.functional import cross_entropy

            logits, targets, _ = answer_logits(model, inputs)
            return cross_entropy(logits.float(), targets)

    return CompletionTrainer


def _json(texts: list[str]) -> bytes:
    return json.dumps(texts, ensure_ascii=False).encode()
