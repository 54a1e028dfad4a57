"""How well a sample stands for the whole set, in numbers and in a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from operators.picture import Picture, picture
from operators.sampling import check_finite, pairwise_distances

EXACT_ROWS = 5_000
"""Above this, all pairs are too many: distances are averaged over random directions, and the uniform reference
is its expectation instead of a simulated median."""
LENGTH_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
_CHUNK = 2048
_DIRECTIONS = 128
_FEATURES = 1024


class Fidelity(BaseModel):
    """Sample against whole set. Distances are zero for the whole set itself; smaller is better."""

    model_config = ConfigDict(frozen=True)
    rows: int
    sampled: int
    energy_distance: float
    """Biased V-statistic between all rows and the sampled ones (Székely & Rizzo 2013), on unit vectors."""
    uniform_energy_distance: float
    """The same for uniform samples of this size: their median, or their expectation where the set is large."""
    mmd: float
    """Squared maximum mean discrepancy, Gaussian kernel of median bandwidth, on 1,024 random Fourier features."""
    uniform_mmd: float
    flagged_share: float
    """Of the whole set; undecided records count as flagged."""
    flagged_share_sampled: float
    length_distance: float
    """Kolmogorov-Smirnov statistic of the text lengths, in [0, 1]."""
    length_quantiles: list[float]
    """Lengths at LENGTH_LEVELS of the whole set, in the unit that was given."""
    length_quantiles_sampled: list[float]
    picture: Picture
    warning: str | None

    @property
    def energy_ratio(self) -> float:
        """Energy distance relative to uniform sampling; 1 where both are zero."""
        if self.uniform_energy_distance <= 1e-12:
            return 1.0 if self.energy_distance <= 1e-9 else math.inf
        return self.energy_distance / self.uniform_energy_distance


def fidelity(
    embeddings: np.ndarray,
    flags: Sequence[bool | None],
    lengths: Sequence[int],
    chosen: np.ndarray,
    *,
    references: int = 50,
    seed: int = 0,
) -> Fidelity:
    """Compares the rows `chosen` (indices) with all rows, and both with `references` uniform samples.

    `embeddings` is of shape (n, d), `flags` and `lengths` (of the texts, in any unit) of length n. Raises
    DataError where an embedding is not finite, ValueError where nothing is chosen.
    """
    from scipy.stats import ks_2samp

    if not len(chosen):
        raise ValueError("the sample is empty")
    check_finite(embeddings)
    total = len(embeddings)
    rng = np.random.default_rng(seed)
    low = np.array([f is not False for f in flags], bool)
    long = np.asarray(lengths)
    energy = EnergyDistance(embeddings, rng)
    mmd = _MMD(embeddings, rng)
    uniform = [rng.choice(total, len(chosen), replace=False) for _ in range(references if energy.exact else 5)]
    measured = energy(chosen)
    by_chance = float(np.median([energy(u) for u in uniform])) if energy.exact else energy.expected(len(chosen))
    return Fidelity(
        rows=total,
        sampled=len(chosen),
        energy_distance=measured,
        uniform_energy_distance=by_chance,
        mmd=mmd(chosen),
        uniform_mmd=float(np.median([mmd(u) for u in uniform])),
        flagged_share=float(low.mean()),
        flagged_share_sampled=float(low[chosen].mean()),
        length_distance=float(ks_2samp(long, long[chosen]).statistic),
        length_quantiles=np.quantile(long, LENGTH_LEVELS).tolist(),
        length_quantiles_sampled=np.quantile(long[chosen], LENGTH_LEVELS).tolist(),
        picture=picture(embeddings, chosen, seed=seed),
        warning=_warning(total, low, chosen, measured, by_chance),
    )


class EnergyDistance:
    """Energy distance (biased V-statistic) between all rows of one set and some of them.

    Up to EXACT_ROWS rows it is exact. Above, it is averaged over random directions: in d dimensions it is a
    constant times the mean of the one-dimensional distances of the projections (Székely & Rizzo 2013), and these
    take a sort instead of all pairs.
    """

    def __init__(self, rows: np.ndarray, rng: np.random.Generator) -> None:
        self.rows = np.ascontiguousarray(rows, np.float32)
        self.exact = len(rows) <= EXACT_ROWS
        # For the mean distance of a large set some thousand rows give three digits.
        part = self.rows if self.exact else self.rows[rng.choice(len(rows), EXACT_ROWS, replace=False)]
        self._to_all = _mean_distances(part)
        if not self.exact:
            directions = rng.normal(size=(rows.shape[1], _DIRECTIONS)).astype(np.float32)
            self._directions = directions / np.linalg.norm(directions, axis=0)

    def __call__(self, chosen: np.ndarray) -> float:
        """The distance of the rows at these indices, in the unit of the embeddings; never below 0."""
        if self.exact:
            within = _mean_distances(self.rows[chosen]).mean()
            return max(0.0, float(2 * self._to_all[chosen].mean() - self._to_all.mean() - within))
        from scipy.stats import energy_distance

        # scipy gives the square root of the one-dimensional distance.
        squares = [
            energy_distance(projected, projected[chosen]) ** 2
            for direction in self._directions.T
            for projected in [self.rows @ direction]
        ]
        d = self.rows.shape[1]
        scale = math.sqrt(math.pi) * math.exp(math.lgamma((d + 1) / 2) - math.lgamma(d / 2))
        return scale * float(np.mean(squares))

    def expected(self, size: int) -> float:
        """Expectation over uniform samples of `size` rows without replacement: with D the mean distance between
        two different of the n rows it is D (1/size - 1/n), since the cross terms cancel."""
        n, measured_on = len(self.rows), len(self._to_all)
        between = float(self._to_all.mean()) * measured_on / max(1, measured_on - 1)
        return between * (1 / size - 1 / n)


def _mean_distances(rows: np.ndarray) -> np.ndarray:
    """Mean distance from each row to all rows, itself included: float64 of shape (n,)."""
    found = np.empty(len(rows))
    for start in range(0, len(rows), _CHUNK):
        distances = pairwise_distances(rows[start : start + _CHUNK], rows)
        np.fill_diagonal(distances[:, start:], 0)
        found[start : start + _CHUNK] = distances.mean(axis=1, dtype=np.float64)
    return found


class RandomFeatures:
    """Random Fourier features of a Gaussian kernel (Rahimi & Recht 2007): squared distances between their means
    estimate the squared maximum mean discrepancy of two sets."""

    def __init__(self, dimensions: int, bandwidth: float, seed: int | np.random.Generator) -> None:
        """For rows of `dimensions` numbers. Equal arguments give equal features (a generator is drawn from)."""
        rng = np.random.default_rng(seed)
        self.bandwidth = bandwidth
        self._weights = (rng.normal(size=(dimensions, _FEATURES)) / bandwidth).astype(np.float32)
        self._shifts = rng.uniform(0, 2 * np.pi, _FEATURES).astype(np.float32)

    @classmethod
    def fitted(cls, rows: np.ndarray, seed: int) -> RandomFeatures:
        """With the median distance between rows as bandwidth."""
        return cls(rows.shape[1], median_distance(rows, np.random.default_rng(seed)), seed)

    def mean(self, rows: np.ndarray) -> np.ndarray:
        """Mean of each feature over `rows` of shape (n, d): float64 of shape (1024,)."""
        total = np.zeros(_FEATURES)
        for start in range(0, len(rows), _CHUNK):
            part = rows[start : start + _CHUNK]
            total += np.cos(part @ self._weights + self._shifts).sum(axis=0, dtype=np.float64)
        return math.sqrt(2 / _FEATURES) * total / max(1, len(rows))


def median_distance(rows: np.ndarray, rng: np.random.Generator) -> float:
    """Median distance between two of (at most 1,000 of) the rows; 1 where all are equal."""
    some = rows[rng.choice(len(rows), min(len(rows), 1000), replace=False)]
    return float(np.median(pairwise_distances(some, some))) or 1.0


class _MMD:
    """Squared maximum mean discrepancy between all rows of one set and some of them."""

    def __init__(self, rows: np.ndarray, rng: np.random.Generator) -> None:
        self.rows = rows
        self._features = RandomFeatures(rows.shape[1], median_distance(rows, rng), rng)
        self._all = self._features.mean(rows)

    def __call__(self, chosen: np.ndarray) -> float:
        return float(((self._features.mean(self.rows[chosen]) - self._all) ** 2).sum())


def _warning(total: int, low: np.ndarray, chosen: np.ndarray, energy: float, uniform: float) -> str | None:
    """Why scores on the sample may not carry over to the whole set, or None."""
    if len(chosen) == total:
        return None
    found = []
    if len(chosen) < 100:
        found.append(f"it has only {len(chosen)} records, too few to tell strategies apart")
    for name, inside in (("flagged", low), ("clean", ~low)):
        have, of = int(inside[chosen].sum()), int(inside.sum())
        if have < min(of, 20):
            found.append(f"it holds only {have} of {of} {name} records")
    if uniform > 1e-12 and energy > uniform:
        found.append("its embeddings differ from the whole set's more than a uniform sample's would")
    if not found:
        return None
    return (
        "The sample may not stand for the whole set: " + "; ".join(found) + ". Raise sampling.fraction or minimum."
    )
