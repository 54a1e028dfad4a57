"""Which of several alike records stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from operators.data.records import Record

Keep = Literal["first", "best"]


def keep_order(records: Sequence[Record], keep: Keep) -> NDArray[np.int64]:
    """Indices of the records, those to keep first, shape (n,).

    "best": clean before unscored before flagged, source before generated, then the longer conversation, then
    the earlier one.
    """
    n = len(records)
    if keep == "first":
        return np.arange(n)
    rank = {False: 0, None: 1, True: 2}
    flag = np.fromiter((rank[r.flagged] for r in records), np.int64, n)
    made = np.fromiter((r.generated_by is not None for r in records), np.int64, n)
    length = np.fromiter((sum(len(m.content) for m in r.messages) for r in records), np.int64, n)
    return np.lexsort((np.arange(n), -length, made, flag))
