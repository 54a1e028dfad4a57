"""A flat picture of a set and its sample: the embeddings' two leading principal components, thinned to points
that a page can hold. Coordinates only: nothing of a record can be read from them."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

from operators.sampling import check_finite

WHOLE_POINTS = 1200
SAMPLE_POINTS = 400
_FITTED = 10_000
"""Rows that the components are computed from: for two of them more rows change nothing to be seen."""

Point = tuple[float, float]


class Picture(BaseModel):
    """Points of all rows and of the sampled ones, drawn uniformly where there are too many, in the unit of the
    embeddings. `variance` is the share of the whole variance that each of the two axes holds."""

    model_config = ConfigDict(frozen=True)
    whole: list[Point]
    sample: list[Point]
    variance: tuple[float, float]


def picture(embeddings: np.ndarray, chosen: np.ndarray, *, seed: int = 0) -> Picture:
    """Projects the rows of `embeddings`, of shape (n, d), and those at the indices `chosen`.

    Raises DataError where a row is not finite. Equal rows, or one dimension, give points on a line or one point.
    """
    check_finite(embeddings)
    rng = np.random.default_rng(seed)
    fitted = embeddings[_some(rng, np.arange(len(embeddings)), _FITTED)].astype(np.float64)
    mean = fitted.mean(axis=0)
    fitted -= mean
    values, vectors = np.linalg.eigh(fitted.T @ fitted / len(fitted))
    axes = vectors[:, ::-1][:, :2]
    # An eigenvector's sign is arbitrary: its largest entry is made positive, so that machines agree.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), range(axes.shape[1])])
    total = max(float(values.sum()), 1e-12)
    shares = [max(0.0, float(v) / total) for v in values[::-1][:2]] + [0.0, 0.0]

    def points(rows: np.ndarray) -> list[Point]:
        flat = np.zeros((len(rows), 2))
        flat[:, : axes.shape[1]] = (embeddings[rows] - mean) @ axes
        return [(round(float(x), 4), round(float(y), 4)) for x, y in flat]

    return Picture(
        whole=points(_some(rng, np.arange(len(embeddings)), WHOLE_POINTS)),
        sample=points(_some(rng, np.asarray(chosen), SAMPLE_POINTS)),
        variance=(round(shares[0], 4), round(shares[1], 4)),
    )


def _some(rng: np.random.Generator, rows: np.ndarray, limit: int) -> np.ndarray:
    return rows if len(rows) <= limit else np.sort(rng.choice(rows, limit, replace=False))
