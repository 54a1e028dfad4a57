"""Which of several alike records stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from operators.data.records import Record
from operators.text.tokens import chunks, token_hashes

Keep = Literal["first", "best"]
_ENDS = ".!?…。！？｡।॥؟۔។။:;)\"'”’」`"


def keep_order(records: Sequence[Record], keep: Keep) -> NDArray[np.int64]:
    """Indices of the records, those to keep first, shape (n,).

    "best": clean before unscored before flagged, source before generated, then the one with fewer slips (a word
    said twice, a space before a stop, no stop at the end), then the longer conversation, then the earlier one.
    """
    n = len(records)
    if keep == "first":
        return np.arange(n)
    rank = {False: 0, None: 1, True: 2}
    flag = np.fromiter((rank[r.flagged] for r in records), np.int64, n)
    made = np.fromiter((r.generated_by is not None for r in records), np.int64, n)
    length = np.fromiter((sum(len(m.content) for m in r.messages) for r in records), np.int64, n)
    return np.lexsort((np.arange(n), -length, _slips(records), made, flag))


def _slips(records: Sequence[Record]) -> NDArray[np.int64]:
    """Signs of careless copying in each record, shape (n,). They only tell copies of one text apart."""
    slips = np.zeros(len(records), np.int64)
    for start, run in chunks(Turns(records)):
        part = slice(start, start + len(run))
        tokens = token_hashes(run)
        again = np.flatnonzero(tokens.hashes[1:] == tokens.hashes[:-1]) + 1
        owner = np.searchsorted(tokens.offsets, again, "right") - 1
        inside = again > tokens.offsets[owner]
        slips[part] = np.bincount(owner[inside], minlength=len(run))
        slips[part] += [t.count(" ,") + t.count(" .") + (t.rstrip()[-1:] not in _ENDS) for t in run]
    return slips


class Turns(Sequence[str]):
    """The text of each record's turns, joined when it is asked for: not all in memory at once."""

    def __init__(self, records: Sequence[Record], roles: tuple[str, ...] = ("user", "assistant")) -> None:
        self._records, self._roles = records, roles

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, i: Any) -> Any:
        return "\n".join(m.content for m in self._records[i].messages if m.role in self._roles)
