"""What Ray workers run: references in, references out, the work in between done by the other modules."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from operators import jobs
from operators.config import Sampling, Targeting, Training
from operators.data.records import Record
from operators.data.store import BlobRef, DatasetRef, Store
from operators.fidelity import Fidelity
from operators.llm.connection import Connection
from operators.precision import Precision, native_precision
from operators.results import Flagging, LLMUsage
from operators.training.lora import FineTune

Progress = Callable[[str, int, int], None]


def precision_there(*, progress: Progress) -> Precision:  # noqa: ARG001 - jobs take it
    """What suits the worker's device (`operators.precision`)."""
    return native_precision()


def embed_dataset(dataset: DatasetRef, model: str, store_root: str, *, progress: Progress) -> BlobRef:
    """Embeds both sides of every record; stores a float32 array (2 * rows, dimensions) in NumPy's format, see
    `operators.record_vectors`. Records and vectors pass through: neither is held as a whole."""
    from operators.record_vectors import embed_records

    store = Store(store_root)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "vectors.npy"
        embed_records(store.iter_records(dataset), dataset.rows, model, file=file, progress=progress)
        return store.put_file(file)


def sample_dataset(
    train: DatasetRef, settings: Sampling, embedder: str, seed: int, store_root: str, *, progress: Progress
) -> tuple[DatasetRef, Fidelity]:
    """Stores a sample of the records, and measures how well it stands for them. Holds a vector of each, but only
    the sampled ones of the records themselves."""
    from operators.fidelity import fidelity
    from operators.record_vectors import embed_records, whole
    from operators.sampling import sample

    store = Store(store_root)
    flags: list[bool | None] = []
    lengths: list[int] = []

    def records() -> Iterator[Record]:
        for record in store.iter_records(train):
            flags.append(record.flagged)
            lengths.append(len(record.text))
            yield record

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "vectors.npy"
        # In the cache since the embed task.
        vectors = whole(embed_records(records(), train.rows, embedder, file=file, progress=progress))
    chosen = sample(
        vectors, flags, fraction=settings.fraction, minimum=settings.minimum, method=settings.method, seed=seed
    )
    picked = set(chosen.tolist())
    dataset = store.put_records(r for i, r in enumerate(store.iter_records(train)) if i in picked)
    return dataset, fidelity(vectors, flags, lengths, chosen, seed=seed)


def flag_dataset(
    dataset: DatasetRef,
    embeddings: BlobRef,
    settings: Targeting,
    seed: int,
    task: str,
    judge: Connection | None,
    store_root: str,
    *,
    progress: Progress,
) -> Flagging:
    """Stores the same records with their quality flags. `judge` gives the labels that `settings` ask for."""
    import numpy as np

    from operators.record_vectors import as_sides
    from operators.targeting import Asking, flag_records, labels_of

    store = Store(store_root)
    records = store.get_records(dataset)
    with store.open(embeddings.sha256) as file:
        vectors = as_sides(np.lib.format.read_array(file, allow_pickle=False))
    labels = labels_of(records, settings.label_column) if settings.label_column else None
    asking = (
        Asking(judge.client("judge"), records, task=task, seed=seed, progress=progress)
        if judge and settings.labels
        else None
    )
    result = flag_records(
        records,
        vectors,
        precision=settings.precision,
        seed=seed,
        labels=labels,
        ask=asking,
        ask_for=settings.labels,
        workers=jobs.own_cpus(),
        progress=progress,
    )
    return Flagging(
        dataset=store.put_records(replace(r, flagged=f) for r, f in zip(records, result.flags, strict=True)),
        note=f"{result.note} {asking.note}" if asking else result.note,
        expected_precision=result.expected_precision,
        usage=asking.client.usage if asking else LLMUsage(),
    )


def fine_tune_dataset(
    dataset: DatasetRef,
    questions: DatasetRef,
    recipe: Training,
    store_root: str,
    answer_tokens: int,
    until: int | None = None,
    begun: FineTune | None = None,
    *,
    progress: Progress,
) -> FineTune:
    """Fine-tunes on a stored data set and measures on stored questions."""
    from operators.training.lora import fine_tune

    store = Store(store_root)
    return fine_tune(
        store.get_records(dataset),
        store.get_records(questions),
        recipe,
        store,
        answer_tokens=answer_tokens,
        until=until,
        begun=begun,
        progress=progress,
    )


def evaluate_adapter(
    adapter: BlobRef, questions: DatasetRef, recipe: Training, store_root: str, *, progress: Progress
) -> list[float]:
    """NLL per question of a stored adapter, in nats per token."""
    from operators.training.lora import evaluate

    store = Store(store_root)
    return evaluate(adapter, store.get_records(questions), recipe, store, progress=progress)


def answer_questions(
    adapter: BlobRef,
    questions: DatasetRef,
    recipe: Training,
    store_root: str,
    answer_tokens: int,
    *,
    progress: Progress,
) -> BlobRef:
    """The tuned model's greedy answers; stores a JSON list."""
    import json

    from peft import PeftModel

    from operators.training.answers import generate
    from operators.training.lora import load_model
    from operators.training.tokens import load_tokenizer

    store = Store(store_root)
    model = PeftModel.from_pretrained(load_model(recipe), store.get_directory(adapter))
    tokenizer = load_tokenizer(recipe.model)
    answers = generate(model, store.get_records(questions), tokenizer, answer_tokens, progress)
    return store.put_bytes(json.dumps(answers, ensure_ascii=False).encode())
