"""What all selection operators share: rank, then keep a share."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import Field

from operators.data.records import Record, conversation_digest
from operators.errors import ConfigError
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params

if TYPE_CHECKING:
    import numpy as np


class SelectionParams(Params):
    """`share` of the records is kept, at least one."""

    share: float = Field(0.5, gt=0, le=1, description="Share of the records that is kept")
    flagged_last: bool = Field(
        False, description="Records flagged low-quality are kept only where the others do not fill the share"
    )


P = TypeVar("P", bound=SelectionParams)


class SelectionOperator(Operator[P], Generic[P]):
    """Keeps a share of the records, in their input order.

    Records are shown to `choose` in an order of their contents, so what is kept does not depend on the order of
    the rows. The quality flag is honoured with `flagged_last`; flagged records are then not even scored where
    enough others are there.
    """

    team = Team.SELECTION

    @abstractmethod
    def choose(self, records: list[Record], keep: int, context: Context) -> Iterable[int]:
        """The places of the `keep` best records, 0 < keep < len(records), each once."""

    def apply(self, records: list[Record], context: Context) -> list[Record]:
        """The kept records, in their input order."""
        if not records:
            return records
        # Rounded first: 0.1 * 30 is a little more than 3.
        keep = max(1, math.ceil(round(self.params.share * len(records), 6)))
        order = sorted(range(len(records)), key=lambda i: (conversation_digest(records[i]), records[i].id))
        if self.params.flagged_last:
            good = [i for i in order if records[i].flagged is not True]
            low = [i for i in order if records[i].flagged is True]
            chosen = self._best(good, min(keep, len(good)), records, context)
            chosen += self._best(low, keep - len(chosen), records, context)
        else:
            chosen = self._best(order, keep, records, context)
        self.count("flagged_kept", sum(records[i].flagged is True for i in chosen))
        return [records[i] for i in sorted(chosen)]

    def _best(self, places: list[int], keep: int, records: list[Record], context: Context) -> list[int]:
        if keep in (0, len(places)):
            return places[:keep]
        return [places[i] for i in self.choose([records[i] for i in places], keep, context)]


class ScoredSelection(SelectionOperator[P], Generic[P]):
    """Keeps the records with the highest scores. Ties are broken by a digest of the contents."""

    @abstractmethod
    def scores(self, records: list[Record], context: Context) -> np.ndarray:
        """One number per record, shape (n,); the highest are kept. NaN ranks last."""

    def choose(self, records: list[Record], keep: int, context: Context) -> Iterable[int]:
        """The places of the highest scores."""
        import numpy as np

        scores = np.nan_to_num(np.asarray(self.scores(records, context), dtype=np.float64), nan=-np.inf)
        return np.argsort(-scores, kind="stable")[:keep].tolist()


def development(operator: SelectionOperator[P], context: Context) -> Sequence[Record]:
    """The questions a selection may aim at: the search split, never judging or sealed ones. Raises ConfigError
    where there are none."""
    if not context.development:
        raise ConfigError(f"{operator.name} needs development questions: raise data.search_questions")
    return context.development
