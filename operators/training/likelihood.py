"""How likely a model finds given answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from operators.training.tokens import IGNORE, Example, length_batches, pad

if TYPE_CHECKING:
    import torch


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
    result = [0.0] * len(examples)
    done = 0
    order = length_batches(examples, tokens_per_batch)
    # Changes no result. Models are measured on the same texts side by side: in orders of their own, each process
    # finds in the cache what another has passed through the frozen blocks, instead of doing the same at that time.
    Random(os.getpid()).shuffle(order)
    with torch.inference_mode():
        for batch in order:
            means = mean_losses(model, [examples[i] for i in batch], pad_id)
            for i, value in zip(batch, means.tolist(), strict=True):
                result[i] = value
            done += len(batch)
            progress(done, len(examples))
    return result


def mean_losses(model: Any, examples: Sequence[Example], pad_id: int) -> torch.Tensor:
    """Mean loss over each example's labels in one forward pass, float32 of shape (n,), differentiable."""
    import torch

    device = next(model.parameters()).device
    batch = {k: v.to(device) for k, v in pad(examples, pad_id).items()}
    logits, targets, learned = answer_logits(model, batch)
    losses = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none")
    by_example = losses.new_zeros(learned.shape).masked_scatter(learned, losses)
    return by_example.sum(1) / learned.sum(1).clamp(min=1)


def answer_logits(model: Any, batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits (n, vocabulary) and labels (n,) of a batch's n tokens with a label, and where these are: a mask of
    shape (rows, positions - 1), without the first position, which nothing predicts.

    The vocabulary projection, a large share of a small model's cost, runs on the states of these tokens alone.
    """
    inputs = {k: v for k, v in batch.items() if k != "labels"}
    targets = batch["labels"][:, 1:]
    learned = targets != IGNORE

    def pick(_head: Any, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        # A token is predicted from the position before it.
        return (args[0][:, :-1][learned][None], *args[1:])

    hook = model.get_output_embeddings().register_forward_pre_hook(pick)
    try:
        logits = model(**inputs).logits
    finally:
        hook.remove()
    return logits[0], targets[learned], learned
