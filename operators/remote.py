"""What Ray workers run: references in, references out, the work in between done by the other modules."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

from operators.config import Targeting, Training
from operators.data.store import BlobRef, DatasetRef, Store
from operators.training.lora import FineTune

Progress = Callable[[str, int, int], None]


def embed_dataset(dataset: DatasetRef, model: str, store_root: str, *, progress: Progress) -> BlobRef:
    """Embeds every record's text; stores a float32 array (rows, dimensions) in NumPy's format."""
    import numpy as np

    from operators.embedding import embed

    store = Store(store_root)
    vectors = embed([r.text for r in store.get_records(dataset)], model, progress=progress)
    buffer = io.BytesIO()
    np.save(buffer, vectors, allow_pickle=False)
    return store.put_bytes(buffer.getvalue())


def flag_dataset(
    dataset: DatasetRef,
    embeddings: BlobRef,
    settings: Targeting,
    embedder: str,
    seed: int,
    store_root: str,
    *,
    progress: Progress,
) -> DatasetRef:
    """Stores the same records with their quality flags."""
    import numpy as np

    from operators.targeting import flag_records, labels_of

    store = Store(store_root)
    records = store.get_records(dataset)
    vectors = np.load(io.BytesIO(store.get_bytes(embeddings.sha256)), allow_pickle=False)
    labels = labels_of(records, settings.label_column) if settings.label_column else None
    result = flag_records(
        records,
        vectors,
        precision=settings.precision,
        seed=seed,
        labels=labels,
        embedder=embedder,
        progress=progress,
    )
    return store.put_records(replace(r, flagged=f) for r, f in zip(records, result.flags, strict=True))


def fine_tune_dataset(
    dataset: DatasetRef,
    questions: DatasetRef,
    recipe: Training,
    store_root: str,
    answer_tokens: int,
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
