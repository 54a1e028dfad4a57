"""Scores by classifiers that have not seen what they score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from operators.targeting.learners import Learner

FOLDS = 5


@dataclass(frozen=True)
class Examples:
    """What a classifier learns from: `rows` of shape (m, f), and of each its 0/1 `target`, its `weight`, and the
    place of the record it was made from in `origin`."""

    rows: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    origin: np.ndarray

    @property
    def share(self) -> float:
        """The positives' part of the weight."""
        return float(self.weight[self.target == 1].sum() / self.weight.sum())


def out_of_fold(learn: Learner, examples: Examples, of: np.ndarray, same: np.ndarray, seed: int) -> np.ndarray:
    """Scores in (0, 1) of the records `of`, shape (n, f), by classifiers trained on `examples`.

    No record is scored by a classifier that saw a row made from it, and records that nothing was made from are
    scored by all. Records with the same number in `same`, shape (n,), are in one fold, since what is known of one
    tells about the other. A fold that is trained on one class only, or on nothing, scores every record with the
    share of low quality it knows of.
    """
    numbers, distinct = np.unique(same, return_inverse=True)
    fold = (np.random.default_rng(seed).permutation(len(numbers)) % FOLDS)[distinct]
    counts = examples.weight > 0
    unseen = ~np.isin(distinct, distinct[examples.origin[counts]])
    scores = np.zeros(len(of))
    for k in range(FOLDS):
        train = counts & (fold[examples.origin] != k)
        scored = np.flatnonzero((fold == k) | unseen)
        if not len(scored):
            continue
        if len(np.unique(examples.target[train])) < 2:
            part = np.full(len(scored), examples.target[train if train.any() else counts].mean())
        else:
            part = learn(examples.rows[train], examples.target[train], examples.weight[train], seed)(of[scored])
        scores[scored] += np.where(unseen[scored], part / FOLDS, part)
    return scores
