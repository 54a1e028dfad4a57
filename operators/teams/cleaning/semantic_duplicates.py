"""Removes records that say the same as another one in other words."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from operators.data.records import Record
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params
from operators.teams.cleaning.keeping import keep_order
from operators.text.greedy import resolve

_EXACT_SEARCH = 20_000
_TRAINING_POINTS = 39
"""Vectors faiss wants for each cell it trains."""


class SemanticDuplicatesParams(Params):
    """Parameters of `semantic_duplicates`."""

    threshold: float = Field(0.95, gt=0, le=1, description="Cosine similarity from which two records say the same")
    neighbours: int = Field(32, ge=1, le=1000, description="Nearest records each one is compared with")
    keep: Literal["first", "best"] = Field(
        "best", description="Which stays: the first, or the clean one, then the most careful, then the longest"
    )


class SemanticDuplicates(Operator[SemanticDuplicatesParams]):
    """Keeps one of the records whose question and answer are both close in the embedding space.

    The similarity of two records is the mean of their questions' and their answers' cosine similarity, so one
    question with two different answers is no duplicate. A record is dropped only for one that stays. Sets of
    more than 20,000 records are searched by faiss in cells instead of exhaustively. The quality flag only
    ranks copies (`keep`).
    """

    name = "semantic_duplicates"
    team = Team.CLEANING
    version = 3
    params_type = SemanticDuplicatesParams

    def apply(self, records: list[Record], context: Context) -> list[Record]:
        from operators.embedding import embed

        if len(records) < 2:
            return records
        order = keep_order(records, self.params.keep)
        ranked = [records[i] for i in order]
        asked = ["\n".join(m.content for m in r.messages if m.role == "user") for r in ranked]
        told = ["\n".join(m.content for m in r.messages if m.role == "assistant") for r in ranked]
        both = embed([*asked, *told], context.embedder, progress=context.progress)
        vectors = np.concatenate([both[: len(ranked)], both[len(ranked) :]], axis=1) / np.sqrt(2.0)
        edges = similar_pairs(
            vectors.astype(np.float32), self.params.threshold, self.params.neighbours, context.seed
        )
        owner = resolve(len(ranked), edges, lambda pairs: np.ones(len(pairs), np.bool_))
        self.count("semantic_duplicates", int((owner >= 0).sum()))
        return [records[i] for i in sorted(order[np.flatnonzero(owner < 0)])]


def similar_pairs(vectors: NDArray[np.float32], threshold: float, neighbours: int, seed: int) -> NDArray[np.int64]:
    """Sorted pairs (earlier, later) of unit vectors (n, d) with cosine similarity >= threshold, shape (m, 2)."""
    import faiss

    n, d = vectors.shape
    index: Any = faiss.IndexFlatIP(d)
    if n > _EXACT_SEARCH:
        cells = int(min(4 * np.sqrt(n), n // _TRAINING_POINTS))
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(d), d, cells, faiss.METRIC_INNER_PRODUCT)
        index.cp.seed = seed % (1 << 31)
        index.nprobe = max(8, cells // 50)
        index.train(vectors)
    index.add(vectors)
    similarity, found = index.search(vectors, min(neighbours + 1, n))
    a = np.repeat(np.arange(n), found.shape[1])
    b = found.ravel().astype(np.int64)
    close = (similarity.ravel() >= threshold) & (a != b) & (b >= 0)
    pairs = np.stack((np.minimum(a, b)[close], np.maximum(a, b)[close]), axis=1)
    return np.unique(pairs, axis=0)
