"""Per-example gradients of an adapter, randomly projected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from operators.training.likelihood import mean_losses
from operators.training.tokens import Example, length_batches

if TYPE_CHECKING:
    import numpy as np
    import torch

Transform = Callable[["torch.Tensor"], "torch.Tensor"]


def projected_gradients(
    model: Any,
    examples: Sequence[Example],
    pad_id: int,
    *,
    dimensions: int,
    seed: int,
    transform: Transform = lambda gradients: gradients,
    tokens_per_batch: int = 1024,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> np.ndarray:
    """The gradient of each example's mean loss by all trained weights, projected and scaled to unit length:
    float32 of shape (n, dimensions).

    Mean loss and unit length keep the length of an answer out of it: the norm of a sequence's gradient falls
    with its length (Xia et al. 2024, arXiv 2402.04333). `transform` works on the gradients (batch,
    weights), in the order of `trained_layers`, before the projection, a very sparse one (Li, Hastie & Church
    2006) that keeps angles and depends on `seed` and the number of weights alone.
    """
    import numpy as np
    import torch
    from sklearn.preprocessing import normalize

    model.eval()
    layers = trained_layers(model)
    weights = sum(layer.weight.numel() for layer in layers)
    projection = _projection(weights, dimensions, seed)
    result = np.zeros((len(examples), dimensions), np.float32)
    done = 0
    for batch in length_batches(examples, tokens_per_batch):
        with torch.enable_grad(), _watched(layers) as seen:
            losses = mean_losses(model, [examples[i] for i in batch], pad_id)
            # Examples of a batch do not touch each other, so the sum's gradient holds each one's own.
            outer = torch.autograd.grad(losses.sum(), [seen[layer][1] for layer in layers])
        parts = [
            torch.einsum("bto,bti->boi", gradient.float(), seen[layer][0].float()).flatten(1)
            for layer, gradient in zip(layers, outer, strict=True)
        ]
        result[batch] = projection.transform(transform(torch.cat(parts, 1)).cpu().numpy())
        done += len(batch)
        progress(done, len(examples))
    return np.asarray(normalize(result, copy=False))


@lru_cache(maxsize=1)  # the questions' gradients and the records' pass the same
def _projection(weights: int, dimensions: int, seed: int) -> Any:
    import numpy as np
    from sklearn.random_projection import SparseRandomProjection

    made = SparseRandomProjection(dimensions, dense_output=True, random_state=seed % 2**32)
    return made.fit(np.zeros((1, weights), np.float32))


def trained_layers(model: Any) -> list[Any]:
    """The linear layers whose weights are trained: those of the adapter."""
    import torch

    return [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m.weight.requires_grad]


def adam_update(model: Any, optimizer: Any) -> Transform:
    """What Adam would do with a gradient next, up to the learning rate: a function on (batch, weights).

    (b1 m + (1 - b1) g) / sqrt(b2 v + (1 - b2) g^2), each moment over its bias correction, from the moments m and
    v that `optimizer` holds (Kingma & Ba 2015; used as feature by Xia et al. 2024).
    """
    import torch

    states = [optimizer.state[layer.weight] for layer in trained_layers(model)]
    (group, *_) = optimizer.param_groups
    (b1, b2), eps = group["betas"], group["eps"]
    m = torch.cat([s["exp_avg"].flatten() for s in states]).float()
    v = torch.cat([s["exp_avg_sq"].flatten() for s in states]).float()
    step = float(states[0]["step"]) + 1

    def update(gradients: torch.Tensor) -> torch.Tensor:
        first = (b1 * m + (1 - b1) * gradients) / (1 - b1**step)
        second = (b2 * v + (1 - b2) * gradients**2) / (1 - b2**step)
        return first / (second.sqrt() + eps)

    return update


@contextmanager
def _watched(layers: Sequence[Any]) -> Iterator[dict[Any, tuple[torch.Tensor, torch.Tensor]]]:
    """Input and output of each layer's latest forward pass, (batch, tokens, features) each. With the gradient of
    the output, the input gives every example's gradient of the weights in one product (Goodfellow 2015, arXiv
    1510.01799)."""
    seen: dict[Any, tuple[torch.Tensor, torch.Tensor]] = {}

    def note(layer: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        seen[layer] = (inputs[0].detach(), output)

    handles = [layer.register_forward_hook(note) for layer in layers]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
