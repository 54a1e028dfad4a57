"""The probability that a record is of low quality, out of fold and calibrated: without labels, and with some."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from operators.targeting.folds import Examples, out_of_fold
from operators.targeting.learners import Learner, boosted, forest, linear
from operators.targeting.matrix import Matrix
from operators.targeting.typical import extremeness, outlyingness

ROUNDS = 4
TYPICAL = 0.5
"""Share of the set that the first round takes for clean."""
CLEAN_BELOW, LOW_ABOVE = 0.6, 0.7
"""Later rounds take records below the one for clean and above the other for low quality."""
OUTLYING = 2.5
"""The second and third round take records that stand out this far for low quality: kinds of damage that no copy
shows. Chosen on kinds left out of the copies, see `benchmarks.targeting left_out`."""
OUTLYING_ROUNDS = (1, 2)
CONFIRMED = 0.5
"""Share of the records that stand out which the first round's classifier must find damaged: 0.8 on the example
set, below 0.5 on sets of questions about anything."""
OUTLYING_STAYS = 0.2
"""Probability below which a record that stands out is no longer taken for low quality."""
OUTLYING_WEIGHT = 0.5
"""Weight of those records, all together, relative to that of the clean ones."""
REPEATS = 4
"""Draws of the folds, where few labels make one draw's scores noisy."""
IN_DIVERSE_SETS = {"num_leaves": 4}
"""LightGBM's settings where records differ for other reasons than damage: simpler trees, which see less in it."""


def without_labels(matrix: Matrix, seed: int) -> np.ndarray:
    """Probabilities of shape (n,), from the records and their damaged copies alone.

    Two-step learning from positive and unlabeled examples (Bekker & Davis 2020, arXiv 1811.04820, section 5.1):
    the records are unlabeled, the copies positive. The first round's negatives are the set's most typical half.
    Records that stand out from it are further positives, if that round's classifier, which saw none of them, finds
    damage in most: where it does not, the set is diverse rather than dirty, standing out says nothing, trees are
    simpler, and the second round's negatives are all records. Each later round takes negatives and further
    positives from the last round's out-of-fold probabilities, and leaves the undecided out. A copy counts only as
    far as its source is taken for clean. Clean records and copies weigh the same in training; the set's own share
    of low quality is then found by expectation maximisation (Saerens, Latinne & Decaestecker 2002), which is what
    makes the probabilities calibrated. Of a large set, training sees the known part alone; the last round's
    classifiers score the others.
    """
    part = matrix.known_part()
    nobody = np.zeros(len(part.records), bool)
    unusual = extremeness(part)
    typical = unusual <= np.quantile(unusual, TYPICAL)
    outlying = outlyingness(part, typical) > OUTLYING
    everyone = np.full(len(matrix.records), 0.5)
    first = _examples(part, typical, nobody)
    if first is None:
        return everyone
    found = _probabilities(boosted(), first, part, seed)
    diverse = outlying.any() and (found[outlying] > 0.5).mean() < CONFIRMED
    learn = boosted(IN_DIVERSE_SETS if diverse else None)
    damaged = nobody if diverse else outlying
    clean, low = ~damaged if diverse else typical & ~damaged, damaged
    for turn in range(1, ROUNDS):
        examples = _examples(part, clean, low, OUTLYING_WEIGHT if turn in OUTLYING_ROUNDS else None)
        if examples is None:  # nothing is left to learn from
            break
        if turn == ROUNDS - 1:
            examples = replace(examples, origin=matrix.known[examples.origin])
            return _probabilities(learn, examples, matrix, seed + turn)
        found = _probabilities(learn, examples, part, seed + turn)
        clean, low = found < CLEAN_BELOW, found > LOW_ABOVE
        if turn + 1 in OUTLYING_ROUNDS:
            low = low | (damaged & (found > OUTLYING_STAYS))
    everyone[matrix.known] = found
    return everyone


def _examples(
    part: Matrix, clean: np.ndarray, low: np.ndarray, low_weighs: float | None = None
) -> Examples | None:
    """The records taken for clean, copies of those, and the records taken for low quality, which together weigh at
    most `low_weighs` as much as the clean ones. None where nothing is clean, or has a copy."""
    n, m = len(part.records), len(part.copies)
    negatives, positives = clean.astype(float), low.astype(float)
    copies = negatives[part.sources]
    if not copies.any():
        return None
    copies *= negatives.sum() / max(1.0, copies.sum())
    if low_weighs is not None:
        positives *= min(1.0, low_weighs * negatives.sum() / max(1.0, positives.sum()))
    return Examples(
        np.vstack([part.records, part.copies, part.records]),
        np.r_[np.zeros(n), np.ones(m), np.ones(n)],
        np.r_[negatives, copies, positives],
        np.r_[np.arange(n), part.sources, np.arange(n)],
    )


def _probabilities(learn: Learner, examples: Examples, of: Matrix, seed: int) -> np.ndarray:
    """Out of fold, with the share of low quality that the records themselves show."""
    return with_prior_of_set(out_of_fold(learn, examples, of.records, of.same, seed), examples.share)


def with_labels(
    features: np.ndarray,
    target: np.ndarray,
    labelled: np.ndarray,
    unaided: np.ndarray,
    same: np.ndarray,
    seed: int,
    repeats: int = REPEATS,
) -> np.ndarray | None:
    """Probabilities of shape (n,): out of fold for the labelled records, of all folds' mean for the others. None
    where the labels teach nothing: what was learned from some is no better than chance on the others.

    `features` is of shape (n, f), `target` 1 where low quality (read only where `labelled`), `unaided` the
    probabilities found without labels, one feature more; `same` as in `Matrix`. Few labels leave boosted trees,
    a linear model and randomized trees about equally unsure, of different records: their log odds are averaged.
    Scores are mapped to probabilities by logistic regression on the labelled ones (Platt 1999). The others'
    scores are a mean over folds, so less noisy, and would seem less sure than they are: `repeats` draws of the
    folds bring the two together.
    """
    from sklearn.linear_model import LogisticRegression

    rows = np.column_stack([features, _logit(unaided)])
    places = np.flatnonzero(labelled)
    y = target[places].astype(float)
    settings = {
        "min_child_samples": max(3, min(20, len(places) // 20)),
        "num_leaves": 4,
        "feature_fraction": 0.2,
    }
    examples = Examples(rows[places], y, np.ones(len(places)), places)
    learners = boosted(settings), linear, forest
    scores = [
        out_of_fold(learn, examples, rows, same, seed + repeat) for repeat in range(repeats) for learn in learners
    ]
    odds = np.mean([_logit(s) for s in scores], axis=0)
    platt = LogisticRegression(C=1.0).fit(odds[places][:, None], y)
    if platt.coef_[0, 0] <= 0:
        return None
    return np.asarray(platt.predict_proba(odds[:, None])[:, 1], np.float64)


def with_prior_of_set(scores: np.ndarray, share: float, steps: int = 100) -> np.ndarray:
    """Probabilities for a set whose share of positives is not the training's `share` but unknown: the share that
    is the mean of the probabilities it gives (Saerens et al. 2002)."""
    odds = np.exp(_logit(scores)) * (1 - share) / share
    prior = 0.5
    found = scores
    for _ in range(steps):
        moved = odds * prior / (1 - prior)
        found = moved / (1 + moved)
        prior = float(np.clip(found.mean(), 1e-4, 1 - 1e-4))
    return found


def _logit(p: np.ndarray) -> np.ndarray:
    inside = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log(inside / (1 - inside))
