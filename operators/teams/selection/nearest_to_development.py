"""Keeps the records nearest to the development questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.data.records import Record
from operators.errors import ConfigError
from operators.teams.base import Context
from operators.teams.selection.base import SelectionOperator, SelectionParams

if TYPE_CHECKING:
    import numpy as np


class NearestToDevelopment(SelectionOperator[SelectionParams]):
    """Development questions take turns in choosing their nearest record not yet chosen.

    Taking turns keeps the choice as diverse as the development set (the selection step of RDS+, Ivison et al.
    2025, arXiv 2503.01807, here over sentence embeddings instead of model states). Only the search split is
    aimed at: judging and sealed questions are never seen.
    """

    name = "nearest_to_development"
    params_type = SelectionParams

    def scores(self, records: list[Record], context: Context) -> np.ndarray:
        """Minus the turn in which a record is first chosen, plus its similarity (< 1 turn), shape (n,)."""
        import numpy as np

        from operators.embedding import embed

        if not context.development:
            raise ConfigError("nearest_to_development needs development questions: raise data.search_questions")
        vectors = embed([r.text for r in records], context.embedder)
        targets = embed([r.text for r in context.development], context.embedder)
        similarity = vectors @ targets.T  # (n, d) cosine, rows are unit vectors
        # A record's turn is the best rank it holds in any development question's list.
        order = np.argsort(-similarity, axis=0, kind="stable")
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(len(records))[:, None], axis=0)
        return -rank.min(axis=1) + (similarity.max(axis=1) - 1) / 4
