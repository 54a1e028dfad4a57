"""Which of many similar items to keep."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from operators.text.tokens import Ints

_AHEAD = 1 << 10
"""Pairs verified at least in one go, where there are so many."""


def resolve(n: int, edges: Ints, verify: Callable[[Ints], NDArray[np.bool_]]) -> Ints:
    """Greedy choice of items 0..n-1, earlier before later: for each the kept item that drops it, or -1.

    `edges` (m, 2), sorted, are candidate pairs, smaller index first; `verify(pairs)` says which are true.
    Pairs whose outcome does not matter any more are not verified.
    """
    owner = np.full(n, -1, np.int64)
    waiting = np.zeros(n, np.bool_)
    known = np.zeros(len(edges), np.bool_)
    while len(edges):
        waiting[edges[:, 1]] = True
        ready = ~waiting[edges[:, 0]]  # nothing before the earlier item is open: it is kept
        waiting[edges[:, 1]] = False
        # A call to verify costs as much as some hundred pairs, so the next ones in order go along.
        ask = ~known & (ready | (np.cumsum(~known) <= _AHEAD))
        alive = np.ones(len(edges), np.bool_)
        alive[ask] = verify(edges[ask])
        known |= ask
        drop = edges[ready & alive][::-1]  # reversed: the earliest owner is written last
        owner[drop[:, 1]] = drop[:, 0]
        alive &= ~ready & (owner[edges[:, 0]] < 0) & (owner[edges[:, 1]] < 0)
        edges, known = edges[alive], known[alive]
    return owner
