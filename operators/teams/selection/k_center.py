"""Keeps records that cover the set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from operators.data.records import Record
from operators.sampling import allocate
from operators.teams.base import Context
from operators.teams.selection.base import SelectionOperator, SelectionParams

if TYPE_CHECKING:
    import numpy as np

_BLOCK = 8192
"""Rows chosen from at once; a larger set is cut into random blocks, each of which gives its share."""


class KCenterParams(SelectionParams):
    """Parameters of `k_center`."""

    flagged_last: bool = Field(
        True,
        description="Records flagged low-quality are kept only where the others do not fill the share; without "
        "it, damaged records are the first to be kept, being unlike all others",
    )


class KCenter(SelectionOperator[KCenterParams]):
    """Each record kept is the one farthest from all that are kept already.

    Greedy k-center over sentence embeddings (Gonzalez 1985; as a core-set: Sener & Savarese 2018, arXiv
    1708.00489): no record of the set is farther from its nearest kept one than twice the least possible
    distance. Diversity is all it looks at, so by default it honours the quality flag. Above 8,192 records the
    bound holds within random blocks.
    """

    name = "k_center"
    version = 2
    params_type = KCenterParams

    def choose(self, records: list[Record], keep: int, context: Context) -> list[int]:
        import numpy as np

        from operators.embedding import embed

        vectors = embed([r.text for r in records], context.embedder, progress=context.progress)
        rng = np.random.default_rng(context.seed)
        blocks = np.array_split(rng.permutation(len(records)), -(-len(records) // _BLOCK))
        quotas = allocate([len(b) for b in blocks], keep)
        chosen: list[int] = []
        for block, quota in zip(blocks, quotas, strict=True):
            chosen += block[farthest_first(vectors[block], quota)].tolist()
            context.progress("k-center", len(chosen), keep)
        return chosen


def farthest_first(vectors: np.ndarray, keep: int) -> list[int]:
    """`keep` rows of `vectors` (n, d), unit length, beginning with the first. Time O(n d keep)."""
    import numpy as np

    chosen = [0] if keep else []
    similarity = np.full(len(vectors), -np.inf, np.float32)  # to the nearest kept row
    while len(chosen) < keep:
        np.maximum(similarity, vectors @ vectors[chosen[-1]], out=similarity)
        similarity[chosen[-1]] = np.inf
        chosen.append(int(similarity.argmin()))
    return chosen
