"""The blocks below the first adapter: the same in every fine-tune, so each text passes them once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from operators.config import Training
from operators.data.store import default_cache
from operators.digest import digest, sha256_bytes
from operators.keyed_cache import KeyedCache
from operators.models import model_digest

if TYPE_CHECKING:
    import torch

MODEL_TYPES = frozenset({"llama", "mistral", "qwen2", "qwen3"})
"""Whose decoders are `layers` followed by `norm`, each block taking the states first (tests hold us to it)."""
MAX_BYTES = 4 << 30
"""Of the cache. A token of a model of d dimensions takes 2 d bytes in bfloat16, 4 d in float32."""


@contextmanager
def reused(model: Any, recipe: Training) -> Iterator[None]:
    """Within, forward passes of `model` start at its first adapted block.

    The states that enter that block come from this machine's cache, or from one pass of the text alone through
    the frozen blocks: so they do not depend on what else is in the batch, nor on what was in the cache. Such
    passes return no key-value cache of the frozen blocks: generation has to stay outside.

    Does nothing where no block is frozen, for model types not in MODEL_TYPES and models whose blocks attend in
    several ways (the decoder tells which by a block's place), with `recipe.reuse_frozen` off, and on a GPU, which
    is quicker than the way of the states to it.
    """
    first = frozen_blocks(model.config.num_hidden_layers, recipe)
    on_cpu = next(model.parameters()).device.type == "cpu"
    alike = len(set(getattr(model.config, "layer_types", None) or ())) < 2
    known = model.config.model_type in MODEL_TYPES and alike
    if not (first and on_cpu and recipe.reuse_frozen and known):
        yield
        return
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    decoder = causal.model
    identity = digest("frozen states", 1, model_digest(recipe.model), first, str(causal.dtype))
    states = _States(decoder, first, identity)
    every = decoder.layers
    hooks = [
        decoder.register_forward_pre_hook(states.look_up, with_kwargs=True),
        every[first].register_forward_pre_hook(states.enter, with_kwargs=True),
    ]
    decoder.layers = every[first:]
    try:
        yield
    finally:
        decoder.layers = every
        for hook in hooks:
            hook.remove()


def frozen_blocks(layers: int, recipe: Training) -> int:
    """How many of a model's blocks lie below the first adapted one."""
    return layers - min(recipe.lora.last_layers or layers, layers)


class _States:
    """Feeds the block after the frozen ones."""

    def __init__(self, decoder: Any, first: int, identity: str) -> None:
        self.decoder = decoder
        self.blocks = decoder.layers[:first]
        self.identity = identity
        self.cache = KeyedCache(default_cache() / "frozen-states.sqlite", "frozen states", max_bytes=MAX_BYTES)
        self.current: torch.Tensor | None = None

    def look_up(self, _decoder: Any, _args: Any, inputs: dict[str, Any]) -> None:
        """Before a pass: the states of its batch, (rows, positions, dimensions), zero at padding."""
        ids, mask = inputs["input_ids"], inputs["attention_mask"].bool()
        texts = [row[real] for row, real in zip(ids, mask, strict=True)]
        keys = [bytes.fromhex(sha256_bytes(f"{self.identity} {t.tolist()}".encode())) for t in texts]
        distinct = dict(zip(keys, texts, strict=True))
        known = {k: self._tensor(v) for k, v in self.cache.get(distinct).items()}
        fresh = {k: self._compute(t) for k, t in distinct.items() if k not in known}
        if fresh:
            self.cache.put({k: self._bytes(v) for k, v in fresh.items()})
        states = {**known, **fresh}
        weight = self.decoder.embed_tokens.weight
        self.current = weight.new_zeros((*ids.shape, weight.shape[1]))
        for row, real, key in zip(self.current, mask, keys, strict=True):
            row[real] = states[key]

    def enter(self, _block: Any, args: tuple[Any, ...], inputs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The first adapted block's arguments, with the states in place of the embeddings."""
        return (self.current, *args[1:]), inputs

    def _compute(self, ids: torch.Tensor) -> torch.Tensor:
        import torch

        seen: list[torch.Tensor] = []
        # What enters the norm has left the last block.
        hook = self.decoder.norm.register_forward_pre_hook(lambda _norm, args: seen.append(args[0]))
        adapted, self.decoder.layers = self.decoder.layers, self.blocks
        try:
            with torch.no_grad():
                self.decoder.forward(input_ids=ids[None], use_cache=False)  # not called: our own hook would answer
        finally:
            self.decoder.layers = adapted
            hook.remove()
        return seen[0][0]

    def _bytes(self, states: torch.Tensor) -> bytes:
        import torch

        return states.contiguous().view(torch.uint8).numpy().tobytes()

    def _tensor(self, value: bytes) -> torch.Tensor:
        import torch

        weight = self.decoder.embed_tokens.weight
        flat = torch.from_numpy(np.frombuffer(value, np.uint8).copy())
        return flat.view(weight.dtype).view(-1, weight.shape[1])
