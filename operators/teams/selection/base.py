"""What all selection operators share: rank, then keep a share."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import Field

from operators.data.records import Record
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params

if TYPE_CHECKING:
    import numpy as np


class SelectionParams(Params):
    """`share` of the records is kept, at least one."""

    share: float = Field(0.5, gt=0, le=1, description="Share of the records that is kept")


P = TypeVar("P", bound=SelectionParams)


class SelectionOperator(Operator[P], Generic[P]):
    """Keeps the `share` of records with the highest scores, in their input order."""

    team = Team.SELECTION

    @abstractmethod
    def scores(self, records: list[Record], context: Context) -> np.ndarray:
        """One number per record, shape (n,); the highest are kept. NaN ranks last."""

    def apply(self, records: list[Record], context: Context) -> list[Record]:
        """The kept records, in their input order. Ties are broken by input order."""
        import numpy as np

        if not records:
            return records
        scores = np.nan_to_num(np.asarray(self.scores(records, context), dtype=np.float64), nan=-np.inf)
        keep = math.ceil(self.params.share * len(records))
        chosen = np.sort(np.argsort(-scores, kind="stable")[:keep])
        return [records[i] for i in chosen]
