"""Development questions take turns in choosing records: the selection step of RDS+ (Ivison et al. 2025)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def take_turns(similarity: np.ndarray, keep: int) -> list[int]:
    """`keep` distinct rows of `similarity`, shape (n, questions), in the order in which they are chosen.

    Each question in turn takes the most similar row that nobody has taken yet, so the choice is spread as the
    questions are, and no question with many similar rows crowds out the others. NaN ranks last; ties go to the
    earlier row. Time and memory O(n * questions).
    """
    import numpy as np

    order = np.argsort(np.nan_to_num(-similarity, nan=np.inf), axis=0, kind="stable")
    taken = np.zeros(len(similarity), bool)
    place = np.zeros(similarity.shape[1], np.int64)
    chosen: list[int] = []
    while len(chosen) < keep:
        for question in range(similarity.shape[1]):
            while taken[row := order[place[question], question]]:
                place[question] += 1
            taken[row] = True
            chosen.append(int(row))
            if len(chosen) == keep:
                break
    return chosen
