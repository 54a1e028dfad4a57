"""How likely a model finds given answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from operators.training.tokens import IGNORE, Example, pad


def answer_nll(
    model: Any,
    examples: Sequence[Example],
    pad_id: int,
    *,
    tokens_per_batch: int = 2048,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[float]:
    """Mean negative log-likelihood of each example's labels, in nats per token.

    Examples are batched by length under a padded-token limit.
    """
    import torch

    model.eval()
    device = next(model.parameters()).device
    order = sorted(range(len(examples)), key=lambda i: len(examples[i].input_ids))
    result = [0.0] * len(examples)
    done = 0
    with torch.inference_mode():
        for batch in _batches(order, examples, tokens_per_batch):
            tensors = {k: v.to(device) for k, v in pad([examples[i] for i in batch], pad_id, left=True).items()}
            logits, targets = answer_logits(model, tensors)
            losses = torch.nn.functional.cross_entropy(
                logits.float().transpose(1, 2), targets, ignore_index=IGNORE, reduction="none"
            )
            means = losses.sum(1) / (targets != IGNORE).sum(1).clamp(min=1)
            for i, value in zip(batch, means.tolist(), strict=True):
                result[i] = value
            done += len(batch)
            progress(done, len(examples))
    return result


def answer_logits(model: Any, batch: dict[str, Any]) -> tuple[Any, Any]:
    """Logits (rows, positions, vocabulary) and labels (rows, positions) from the first label on.

    `batch` is padded on the left, so that the vocabulary projection (a large share of a small model's cost) runs
    on the answers' positions only.
    """
    inputs = {k: v for k, v in batch.items() if k != "labels"}
    labels = batch["labels"]
    first = int((labels != IGNORE).any(0).nonzero()[0])
    keep = labels.shape[1] - max(first, 1) + 1  # a token is predicted from the position before it
    logits = model(**inputs, logits_to_keep=keep).logits[:, :-1]
    return logits, labels[:, -(keep - 1) :]


def _batches(order: list[int], examples: Sequence[Example], limit: int) -> list[list[int]]:
    batches: list[list[int]] = []
    for i in order:  # ascending length, so the newest member is the widest
        width = len(examples[i].input_ids)
        if batches and width * (len(batches[-1]) + 1) <= limit:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches
