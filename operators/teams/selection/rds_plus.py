"""Keeps the records that look to the target model most like the development questions."""

from __future__ import annotations

from operators.config import Training
from operators.data.records import Record
from operators.teams.base import Context
from operators.teams.selection.base import SelectionOperator
from operators.teams.selection.model import ModelParams, aims_of, readable, reporting
from operators.teams.selection.turns import take_turns


class RDSPlus(SelectionOperator[ModelParams]):
    """Development questions take turns in choosing the record whose hidden states are nearest to theirs.

    RDS+ (Ivison et al. 2025, arXiv 2503.01807): weighted mean of the target model's last hidden states over the
    whole conversation, cosine similarity, round-robin. Records without an answer rank last. Only the search split
    is aimed at.
    """

    name = "rds_plus"
    version = 2
    params_type = ModelParams
    needs_model = True

    def choose(self, records: list[Record], keep: int, context: Context) -> list[int]:
        import numpy as np

        from operators.training.lora import load_model
        from operators.training.states import pooled_states
        from operators.training.tokens import load_tokenizer

        tokenizer = load_tokenizer(context.target_model)
        aims = aims_of(self, context, tokenizer)
        found = readable(records, tokenizer, self.params.max_length)
        model = load_model(Training(model=context.target_model, dtype=context.precision))
        targets = pooled_states(model, aims.examples, tokenizer.pad_token_id)
        states = pooled_states(
            model, found.examples, tokenizer.pad_token_id, progress=reporting(context, "hidden states")
        )
        similarity = np.full((len(records), len(targets)), np.nan, np.float32)
        similarity[found.places] = states @ targets.T
        return take_turns(similarity, keep)
