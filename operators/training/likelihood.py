"""How likely a model finds given answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    with torch.inference_mode():
        for batch in length_batches(examples, tokens_per_batch):
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
    batch = {k: v.to(device) for k, v in pad(examples, pad_id, left=pads_left(device.type)).items()}
    logits, targets = answer_logits(model, batch)
    losses = torch.nn.functional.cross_entropy(
        logits.float().transpose(1, 2), targets, ignore_index=IGNORE, reduction="none"
    )
    return losses.sum(1) / (targets != IGNORE).sum(1).clamp(min=1)


def pads_left(device: str) -> bool:
    """The side on which batches with answers are padded. On a GPU padding must come last: there it sees the tokens
    before it. On the left it sees nothing, and fused attention kernels may then give gradients that are not finite
    (seen on an H200 with torch 2.11)."""
    return device == "cpu"


def answer_logits(model: Any, batch: dict[str, Any]) -> tuple[Any, Any]:
    """Logits (rows, positions, vocabulary) and labels (rows, positions) from the first label on.

    Where `batch` is padded on the left, the vocabulary projection (a large share of a small model's cost) runs on
    the answers' positions only.
    """
    import torch

    inputs = {k: v for k, v in batch.items() if k != "labels"}
    labels = batch["labels"]
    first = max(int((labels != IGNORE).any(0).nonzero()[0]), 1)
    # A token is predicted from the position before it. As places and not as a number: a slice of the states is
    # not contiguous, and torch would then copy the vocabulary matrix once for every row.
    places = torch.arange(first - 1, labels.shape[1] - 1, device=labels.device)
    return model(**inputs, logits_to_keep=places).logits, labels[:, first:]
