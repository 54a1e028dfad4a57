"""Early stopping of judging: a gambler who bets on a strategy may be looked at after every question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Settled = Literal["better", "worse", "behind"]
STAKES = 20
"""Stakes of the gamblers whose wealth is averaged, evenly spaced in (0, 1)."""


def wealth(outcomes: Sequence[float] | Floats) -> Floats:
    """Log wealth after each outcome of a gambler who bets that their mean is above 0. Outcomes in [-1, 1].

    The e-process of Waudby-Smith & Ramdas (2023, arXiv 2010.09686), in its diversified form: the mean over fixed
    stakes s of prod(1 + s * outcome). While every outcome has mean <= 0 given those before it, the chance that
    wealth ever reaches 1/level is at most `level` (Ville's inequality), however often it is looked at.
    """
    import numpy as np

    values = np.asarray(outcomes, dtype=np.float64)
    if values.size and np.abs(values).max() > 1:
        raise ValueError("outcomes must lie in [-1, 1]")
    stakes = (np.arange(STAKES) + 0.5) / STAKES
    logs = np.cumsum(np.log1p(np.outer(stakes, values)), axis=1)
    result: Floats = np.logaddexp.reduce(logs, axis=0) - np.log(STAKES)
    return result


def settled(outcomes: Sequence[float], level: float, leader: Sequence[float] | None = None) -> Settled | None:
    """What the outcomes so far have settled, each error at most at `level`, or None. It is about this one
    model: that another seed would have trained another is the noise floor's matter.

    "better" and "worse" are against the baseline. `leader` holds the outcomes of the best strategy so far on the
    same questions in the same order: "behind" means that this one does not overtake it.
    """
    import numpy as np

    values = np.asarray(outcomes, dtype=np.float64)
    if _reaches(values, level):
        return "better"
    if _reaches(-values, level):
        return "worse"
    if leader is not None:
        shared = min(len(values), len(leader))
        if _reaches((np.asarray(leader[:shared]) - values[:shared]) / 2, level):
            return "behind"
    return None


def _reaches(values: Floats, level: float) -> bool:
    import numpy as np

    return bool(values.size) and bool(wealth(values).max() >= -np.log(level))
