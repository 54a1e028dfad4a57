"""Drift: whether a data set still looks like the one that a recipe was found on.

Kept with the recipe is a summary of the old set: the mean of random Fourier features of its embeddings (Rahimi &
Recht 2007), 1,024 numbers whatever the set's size and no record. The squared distance between two such means
estimates the squared maximum mean discrepancy of the two distributions (Gretton et al. 2012).
"""

from __future__ import annotations

import itertools
import math
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from operators.fidelity import RandomFeatures
from operators.sampling import check_finite

MAX_DRIFT = 0.03
"""The largest distance that counts as the same kind of data. Measured with all-MiniLM-L6-v2 by
`python -m benchmarks.drift` on four medical and instruction sets: 32 to 512 records of a set are within 0.006 of
its other half, and another set is at least 0.051 away (benchmarks/results/drift.json)."""
FEW = 8
"""Records of a new set below which chance alone goes beyond MAX_DRIFT."""
SAMPLE = 512
"""Records of a new set that are compared: enough to tell 0.01 from 0."""


class Reference(BaseModel):
    """What a set's embeddings looked like. Nothing of any one record can be read from it when `rows` is large."""

    model_config = ConfigDict(frozen=True)
    vectors: Literal["sides"]
    """What was embedded: both sides of a record, each on its own (`operators.record_vectors.whole`)."""
    embedder: str
    embedder_sha256: str
    dimensions: int
    bandwidth: float
    """Of the Gaussian kernel: the median distance between two records."""
    seed: int
    rows: int
    mean: list[float]
    """Of each feature over all rows."""


def make_reference(embeddings: np.ndarray, embedder: str, embedder_sha256: str, seed: int = 0) -> Reference:
    """Summarizes a set by its embeddings, of shape (n, d), n >= 1. Raises DataError where one is not finite."""
    check_finite(embeddings)
    features = RandomFeatures.fitted(embeddings, seed)
    return Reference(
        vectors="sides",
        embedder=embedder,
        embedder_sha256=embedder_sha256,
        dimensions=embeddings.shape[1],
        bandwidth=features.bandwidth,
        seed=seed,
        rows=len(embeddings),
        # Six digits are below the noise of any sample, and keep the file small.
        mean=[round(float(x), 6) for x in features.mean(embeddings)],
    )


def drift(reference: Reference, embeddings: np.ndarray) -> float:
    """Squared maximum mean discrepancy between the set of a reference and `embeddings`, of shape (m, d).

    0 for equal distributions, about 2 for sets with nothing in common. Finite sets differ by chance: the part of
    that to be expected of records like the old ones is taken off, so small negative values occur. A feature vector
    has length about 1, so its variance is 1 - |mean|^2; it is taken from the old set, since a few new records say
    little about theirs.
    """
    check_finite(embeddings)
    features = RandomFeatures(reference.dimensions, reference.bandwidth, reference.seed)
    old, new = np.asarray(reference.mean), features.mean(embeddings)
    variance = max(0.0, 1.0 - float((old**2).sum()))
    return float(((old - new) ** 2).sum()) - variance * (1 / reference.rows + 1 / len(embeddings))


def allowed(max_drift: float, rows: int) -> float:
    """The distance that a new set of so many rows may have: what chance does to it falls with their number, and of
    fewer than FEW it leaves little else to see."""
    return max_drift * max(1.0, FEW / max(1, rows))


def choose_rows(total: int, seed: int = 0) -> list[int]:
    """At most SAMPLE row numbers of a set, evenly spread over the file with a random place in each stretch."""
    if total <= SAMPLE:
        return list(range(total))
    rng = np.random.default_rng(seed)
    edges = [math.floor(i * total / SAMPLE) for i in range(SAMPLE + 1)]
    return [int(rng.integers(a, b)) for a, b in itertools.pairwise(edges)]
