"""What learns to tell low quality from clean: boosted trees, randomized trees, a linear model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Scorer = Callable[[np.ndarray], np.ndarray]
"""From rows of shape (n, f) to scores in (0, 1)."""
Learner = Callable[[np.ndarray, np.ndarray, np.ndarray, int], Scorer]
"""From rows, 0/1 targets, weights and a seed to a trained scorer."""
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
