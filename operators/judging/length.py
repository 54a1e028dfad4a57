"""The score that would be left if both models wrote at equal length."""

from __future__ import annotations

from collections.abc import Sequence


def length_controlled(outcomes: Sequence[float], extra: Sequence[float]) -> float:
    """Score at equal lengths, in [-1, 1]. `extra[i]` is the trial's length minus the baseline's on question i.

    After length-controlled AlpacaEval (Dubois et al. 2024, arXiv 2404.04475): a logistic regression of the
    preference on tanh(extra / its standard deviation); the intercept alone is the preference at equal length. An
    outcome between -1 and 1 counts as a share of a win and of a loss. Their term for a question's difficulty is
    left out: it needs many models' answers to one question. A ridge penalty (1, on the slope alone) keeps few
    questions from being explained by length.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    values = np.asarray(outcomes, dtype=np.float64)
    lengths = np.asarray(extra, dtype=np.float64)
    if len(values) != len(lengths) or not len(values):
        raise ValueError(f"{len(values)} outcomes for {len(lengths)} differences in length")
    spread = lengths.std()
    won = (1 + values) / 2
    if spread == 0 or won.min() == won.max() == 0.5 or won.sum() in (0, len(won)):
        return float(values.mean())
    feature = np.tanh(lengths / spread)[:, None]
    rows, targets = np.vstack([feature, feature]), np.repeat([1, 0], len(values))
    fitted = LogisticRegression(C=1.0).fit(rows, targets, sample_weight=np.concatenate([won, 1 - won]))
    return float(np.tanh(fitted.intercept_[0] / 2))  # = 2 * sigmoid(intercept) - 1
