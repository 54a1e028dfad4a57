"""Keeps the records nearest to the development questions."""

from __future__ import annotations

from operators.data.records import Record
from operators.teams.base import Context
from operators.teams.selection.base import SelectionOperator, SelectionParams, development
from operators.teams.selection.turns import take_turns


class NearestToDevelopment(SelectionOperator[SelectionParams]):
    """Development questions take turns in choosing their nearest record not yet chosen.

    The selection step of RDS+ (Ivison et al. 2025, arXiv 2503.01807) over sentence embeddings instead of model
    states (`rds_plus`): no target model is loaded. Only the search split is aimed at: judging and sealed
    questions are never seen.
    """

    name = "nearest_to_development"
    version = 3
    params_type = SelectionParams

    def choose(self, records: list[Record], keep: int, context: Context) -> list[int]:
        from operators.embedding import embed

        targets = embed([r.text for r in development(self, context)], context.embedder)
        vectors = embed([r.text for r in records], context.embedder, progress=context.progress)
        return take_turns(vectors @ targets.T, keep)  # cosine: rows are unit vectors
