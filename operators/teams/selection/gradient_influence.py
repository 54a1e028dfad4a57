"""Keeps the records that, learned from, would help most with the development questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from operators.config import LoRA, Training
from operators.data.records import Record, conversation_digest
from operators.digest import sha256_bytes
from operators.teams.base import Context
from operators.teams.selection.base import ScoredSelection
from operators.teams.selection.model import ModelParams, aims_of, readable, reporting

if TYPE_CHECKING:
    import numpy as np


class GradientInfluenceParams(ModelParams):
    """The warm-up, and how gradients are compared."""

    warmup_share: float = Field(0.5, gt=0, le=1, description="Share of the set the adapter is warmed up on")
    warmup_steps: int = Field(12, ge=1, le=1000, description="Optimizer steps of the warm-up, 8 records each")
    learning_rate: float = Field(5e-4, gt=0, le=1e-2, description="Of the warm-up")
    rank: int = Field(8, ge=1, le=256, description="Of the adapter whose gradients are taken")
    last_layers: int = Field(
        4, ge=1, le=1000, description="Blocks, from the end, that the adapter covers; fewer are cheaper"
    )
    dimensions: int = Field(1024, ge=16, le=1 << 14, description="Of a projected gradient")
    update: Literal["gradient", "adam"] = Field(
        "gradient",
        description="What is compared of a record: its plain gradient, or Adam's next update by it, for which the "
        "warm-up must be long enough to know Adam's moments",
    )
    toward: Literal["mean", "max"] = Field(
        "mean", description="A record counts by its mean over the development questions, or by its best one"
    )


class GradientInfluence(ScoredSelection[GradientInfluenceParams]):
    """Scores a record by the cosine between its gradient and those of development questions.

    The idea of LESS (Xia et al. 2024, arXiv 2402.04333) made cheap: one checkpoint after a short warm-up on a
    seeded share of the set itself instead of four epochs' checkpoints; an adapter of the last blocks instead of
    all; a sparse random projection; plain gradients of the records instead of Adam's updates, because after a few
    steps Adam's momentum, which all records share, outweighs what a record adds (`update: adam` is there for long
    warm-ups). As in LESS the loss is the mean over an answer's tokens and vectors are of unit length, so long
    answers have no advantage. Records without an answer rank last. Only the search split is aimed at.
    """

    name = "gradient_influence"
    version = 5
    params_type = GradientInfluenceParams
    needs_model = True

    def scores(self, records: list[Record], context: Context) -> np.ndarray:
        """Mean or largest cosine with a development question's gradient in [-1, 1], NaN without an answer."""
        import numpy as np
        import torch

        from operators.training import frozen
        from operators.training.gradients import adam_update, projected_gradients
        from operators.training.lora import load_model, train, with_adapter
        from operators.training.tokens import load_tokenizer

        tokenizer = load_tokenizer(context.target_model)
        aims = aims_of(self, context, tokenizer)
        found = readable(records, tokenizer, self.params.max_length)
        result = np.full(len(records), np.nan)
        if not found.places:
            return result
        chosen = self._warmup([records[i] for i in found.places], context.seed)
        recipe = self._recipe(context)
        torch.manual_seed(context.seed)
        model = with_adapter(load_model(recipe), recipe)
        common: dict[str, Any] = {"dimensions": self.params.dimensions, "seed": context.seed}
        # The warm-up, the gradients and the next strategy's selection all pass the records through most blocks as
        # they are.
        with frozen.reused(model, recipe):
            warm_up = [found.examples[i] for i in chosen]
            optimizer = train(model, warm_up, tokenizer, recipe, context.progress).optimizer
            targets = projected_gradients(model, aims.examples, tokenizer.pad_token_id, **common)
            if self.params.update == "adam":
                common["transform"] = adam_update(model, optimizer)
            updates = projected_gradients(
                model,
                found.examples,
                tokenizer.pad_token_id,
                progress=reporting(context, "gradients"),
                **common,
            )
        cosine = updates @ targets.T
        result[found.places] = cosine.mean(axis=1) if self.params.toward == "mean" else cosine.max(axis=1)
        return result

    def _warmup(self, records: list[Record], seed: int) -> list[int]:
        """Places of the records to warm up on: a draw by content and seed."""
        draws = [sha256_bytes(f"warm-up:{seed}:{conversation_digest(r)}".encode()) for r in records]
        share = max(1, round(self.params.warmup_share * len(records)))
        return sorted(sorted(range(len(records)), key=draws.__getitem__)[:share])

    def _recipe(self, context: Context) -> Training:
        """Of the warm-up."""
        return Training(
            model=context.target_model,
            lora=LoRA(rank=self.params.rank, alpha=2 * self.params.rank, last_layers=self.params.last_layers),
            steps=self.params.warmup_steps,
            learning_rate=self.params.learning_rate,
            max_length=self.params.max_length,
            dtype=context.precision,
            seed=context.seed,
        )
