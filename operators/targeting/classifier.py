"""The probability that a record is of low quality, out of fold and calibrated: without labels, and with some."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from operators.targeting.matrix import Matrix
from operators.targeting.typical import extremeness, outlyingness

Scorer = Callable[[np.ndarray], np.ndarray]
"""From rows of shape (n, f) to scores in (0, 1)."""
Learner = Callable[[np.ndarray, np.ndarray, np.ndarray, int], Scorer]
"""From rows, 0/1 targets, weights and a seed to a trained scorer."""
FOLDS = 5
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
IN_DIVERSE_SETS = {"num_leaves": 4}
"""LightGBM's settings where records differ for other reasons than damage: simpler trees, which see less in it."""
_TREES = 100
_SETTINGS: dict[str, Any] = {
    "objective": "binary",
    "num_leaves": 8,
    "learning_rate": 0.1,
    "min_child_samples": 20,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "max_bin": 63,
    "verbose": -1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,  # these sets are small: a second thread gains little, and waits long on a busy machine
}


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
    n, m = len(part.records), len(part.copies)
    rows = np.vstack([part.records, part.copies, part.records])
    target = np.r_[np.zeros(n), np.ones(m), np.ones(n)]
    group = np.r_[np.arange(n), part.sources, np.arange(n)]
    order = np.r_[matrix.known, np.setdiff1d(np.arange(len(matrix.records)), matrix.known)]
    unusual = extremeness(part)
    typical = unusual <= np.quantile(unusual, TYPICAL)
    outlying = outlyingness(part, typical) > OUTLYING
    clean, low = typical, np.zeros(n, bool)
    learn = boosted()
    found = np.full(len(order), 0.5)
    for turn in range(ROUNDS):
        negatives, positives = clean.astype(float), low.astype(float)  # weights
        copies = negatives[part.sources]
        copies = copies * negatives.sum() / max(1.0, copies.sum())
        if turn in OUTLYING_ROUNDS:
            positives *= min(1.0, OUTLYING_WEIGHT * negatives.sum() / max(1.0, positives.sum()))
        weight = np.r_[negatives, copies, positives]
        if not clean.any() or not copies.any():
            break
        share = float((copies.sum() + positives.sum()) / weight.sum())
        scored = part.records if turn + 1 < ROUNDS else matrix.records[order]
        same = part.same if turn + 1 < ROUNDS else matrix.same[order]
        scores = out_of_fold(rows, target, weight, group, scored, same, seed + turn, learn)
        found = with_prior_of_set(scores, share)
        if turn == 0:
            diverse = outlying.any() and (found[outlying] > 0.5).mean() < CONFIRMED
            outlying = outlying & (not diverse)
            learn = boosted(IN_DIVERSE_SETS if diverse else None)
            clean, low = (typical | diverse) & ~outlying, outlying
        else:
            clean, low = found < CLEAN_BELOW, found > LOW_ABOVE
            if turn + 1 in OUTLYING_ROUNDS:
                low = low | (outlying & (found > OUTLYING_STAYS))
    if len(found) < len(order):  # it ended early: nothing was left to learn from
        found = np.r_[found, np.full(len(order) - len(found), 0.5)]
    return found[np.argsort(order)]


def with_labels(
    features: np.ndarray,
    target: np.ndarray,
    labelled: np.ndarray,
    unaided: np.ndarray,
    same: np.ndarray,
    seed: int,
) -> np.ndarray:
    """Probabilities of shape (n,): out of fold for the labelled records, of all folds' mean for the others.

    `features` is of shape (n, f), `target` 1 where low quality (read only where `labelled`), `unaided` the
    probabilities found without labels, one feature more; `same` as in `Matrix`. Few labels leave boosted trees,
    a linear model and randomized trees about equally unsure, of different records: their log odds are averaged.
    Scores are mapped to probabilities by logistic regression on the labelled ones (Platt 1999).
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
    given = (rows[places], y, np.ones(len(places)), places, rows, same, seed)
    learners = boosted(settings), linear, forest
    odds = np.mean([_logit(out_of_fold(*given, learner)) for learner in learners], axis=0)
    platt = LogisticRegression(C=1.0).fit(odds[places][:, None], y)
    if platt.coef_[0, 0] <= 0:  # no better than chance on what was not seen: such labels teach nothing
        return np.full(len(rows), y.mean())
    return np.asarray(platt.predict_proba(odds[:, None])[:, 1], np.float64)


def boosted(settings: dict[str, Any] | None = None) -> Learner:
    """Gradient-boosted trees; `settings` are LightGBM's, beside ours."""

    def learn(rows: np.ndarray, target: np.ndarray, weight: np.ndarray, seed: int) -> Scorer:
        import lightgbm

        data = lightgbm.Dataset(rows, target, weight=weight, params={"verbose": -1})
        model = lightgbm.train({**_SETTINGS, **(settings or {}), "seed": seed}, data, _TREES)
        return lambda of: np.asarray(model.predict(of, num_threads=1))

    return learn


def forest(rows: np.ndarray, target: np.ndarray, weight: np.ndarray, seed: int) -> Scorer:
    """Extremely randomized trees (Geurts, Ernst & Wehenkel 2006)."""
    from sklearn.ensemble import ExtraTreesClassifier

    model = ExtraTreesClassifier(200, min_samples_leaf=3, max_features=0.3, random_state=seed)
    model.fit(rows, target, sample_weight=weight)
    return lambda of: np.asarray(model.predict_proba(of)[:, 1])


def linear(rows: np.ndarray, target: np.ndarray, weight: np.ndarray, seed: int) -> Scorer:
    """Logistic regression on the ranks of every feature, as normal scores; what is missing lies in the middle."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import QuantileTransformer

    model = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        QuantileTransformer(n_quantiles=min(200, len(rows)), output_distribution="normal", random_state=seed),
        LogisticRegression(C=0.01, max_iter=2000),
    ).fit(rows, target, logisticregression__sample_weight=weight)
    return lambda of: np.asarray(model.predict_proba(of)[:, 1])


def out_of_fold(
    rows: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    group: np.ndarray,
    of: np.ndarray,
    same: np.ndarray,
    seed: int,
    learn: Learner,
) -> np.ndarray:
    """Scores in (0, 1) of the rows `of`, shape (n, f), by a classifier trained on `rows` with `target` and
    `weight`. `group[i]` is the place in `of` that row i was made from: no row of `of` is scored by a model that
    saw it or a copy of it, and rows that nothing was made from are scored by all. Rows of `of` with the same
    number in `same` are in one fold, since what is known of one tells about the other. A fold that is trained on
    one class only, or on nothing, scores every row with the share of low quality it knows of."""
    numbers, distinct = np.unique(same, return_inverse=True)
    fold = (np.random.default_rng(seed).permutation(len(numbers)) % FOLDS)[distinct]
    unseen = ~np.isin(distinct, distinct[group[weight > 0]])
    scores = np.zeros(len(of))
    for k in range(FOLDS):
        train = (fold[group] != k) & (weight > 0)
        scored = np.flatnonzero((fold == k) | unseen)
        if not len(scored):
            continue
        if len(np.unique(target[train])) < 2:
            part = np.full(len(scored), target[train if train.any() else weight > 0].mean())
        else:
            part = learn(rows[train], target[train], weight[train], seed)(of[scored])
        scores[scored] += np.where(unseen[scored], part / FOLDS, part)
    return scores


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
