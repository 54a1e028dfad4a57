"""Controls: selections that know nothing, which every method must beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.data.records import Record
from operators.digest import sha256_bytes
from operators.teams.base import Context
from operators.teams.selection.base import ScoredSelection, SelectionParams

if TYPE_CHECKING:
    import numpy as np


class RandomSelection(ScoredSelection[SelectionParams]):
    """Keeps a random share. Each record's draw depends on its id and the seed alone, so the same records are
    kept whatever else the set holds."""

    name = "random_selection"
    version = 2
    params_type = SelectionParams

    def scores(self, records: list[Record], context: Context) -> np.ndarray:
        """Uniform numbers from a hash of seed and id, shape (n,)."""
        import numpy as np

        draws = [int(sha256_bytes(f"{context.seed}:{r.id}".encode())[:13], 16) for r in records]
        return np.asarray(draws, dtype=np.float64)


class LongestSelection(ScoredSelection[SelectionParams]):
    """Keeps the records with the longest answers (Zhao et al. 2024, "Long is more for alignment")."""

    name = "longest"
    version = 2
    params_type = SelectionParams

    def scores(self, records: list[Record], context: Context) -> np.ndarray:  # noqa: ARG002
        """Characters of all assistant turns, shape (n,)."""
        import numpy as np

        return np.asarray(
            [sum(len(m.content) for m in r.messages if m.role == "assistant") for r in records], dtype=np.float64
        )
