"""Numbers of many records, a column for each thing that is counted."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Columns = dict[str, NDArray[np.float64]]
"""By name, each of shape (records,)."""


def logs(counts: Iterable[int]) -> NDArray[np.float64]:
    """log(1 + n) of each, the same on every processor: vectorised logarithms differ in the last bit."""
    return np.array([math.log1p(n) for n in counts], np.float64)
