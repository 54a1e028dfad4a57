"""What a model makes of whole conversations: one vector each, from its last hidden layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from operators.training.tokens import Example, length_batches, pad

if TYPE_CHECKING:
    import numpy as np


def pooled_states(
    model: Any,
    examples: Sequence[Example],
    pad_id: int,
    *,
    tokens_per_batch: int = 2048,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> np.ndarray:
    """Weighted mean of each example's last hidden states, of unit length: float32 of shape (n, hidden size).

    The weight of a token grows linearly with its place (Muennighoff 2022, arXiv 2202.08904), because in a
    causal model only late tokens have seen the whole text. The vocabulary projection is left out.
    """
    import numpy as np
    import torch

    model.eval()
    device = next(model.parameters()).device
    result = np.zeros((len(examples), model.config.hidden_size), np.float32)
    done = 0
    with torch.inference_mode():
        for batch in length_batches(examples, tokens_per_batch):
            tensors = {k: v.to(device) for k, v in pad([examples[i] for i in batch], pad_id).items()}
            del tensors["labels"]
            states = model.base_model(**tensors).last_hidden_state.float()
            weights = (tensors["position_ids"] + 1) * tensors["attention_mask"]
            mean = torch.einsum("bth,bt->bh", states, weights.float())
            result[batch] = torch.nn.functional.normalize(mean, dim=1).cpu().numpy()
            done += len(batch)
            progress(done, len(examples))
    return result
