"""Which records to ask labels for: the most informative ones first, then some spread over all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from operators.sampling import pairwise_distances

BATCHES = 5
SMALLEST_BATCH = 10
CANDIDATES = 10
"""The most uncertain records considered, for each one chosen."""
_MOST = 5000
"""Candidates at most, so that the cost of a batch does not grow with the set."""
_DIMENSIONS = 16

Ask = Callable[[Sequence[int]], list[bool | None]]
Fit = Callable[[list[bool | None]], np.ndarray | None]


def collect(
    ask: Ask, fit: Fit, features: np.ndarray, labels: Sequence[bool | None], count: int, seed: int
) -> list[bool | None]:
    """`labels` with up to `count` further ones, asked in seeded batches. A record is asked about once.

    `features` is of shape (n, f), NaN where undefined. `fit(labels)` gives the probabilities of low quality that
    the labels so far lead to, shape (n,), or None where they are too few. A batch stands for the whole set
    while there are too few labels, and is then taken from the records the classifier is least sure of. After two
    batches and more, the last one is spread over all others: doubtful records alone tell little about how sure
    the classifier may be of those. (Expert revisions told from originals by 200 labels, mean of four splits:
    calibration error 0.039, but 0.069 without this batch and with one draw of the folds; AUROC 0.855 and 0.857.)
    """
    labels = list(labels)
    open_ = np.array([v is None for v in labels], bool)
    space = _space(features)
    size = max(SMALLEST_BATCH, -(-count // BATCHES))
    left = min(count, int(open_.sum()))
    turn = 0
    while left > 0:
        found = fit(labels)
        if turn > 1 and left <= size and found is not None:
            places = spread(open_, found, left, seed + turn)
        else:
            places = choose(space, open_, found, min(size, left), seed + turn)
        for place, answer in zip(places, ask([int(i) for i in places]), strict=True):
            labels[place] = answer
        open_[places] = False
        left -= len(places)
        turn += 1
    return labels


def choose(
    space: np.ndarray, open_: np.ndarray, probabilities: np.ndarray | None, size: int, seed: int
) -> np.ndarray:
    """`size` places (of a large set _MOST at most) among those where `open_`: shape (size,), sorted.

    Diverse mini-batches (Zhdanov 2019, arXiv 1901.05954): of the CANDIDATES x `size` most uncertain records, one
    near the centre of each of `size` clusters, where an uncertain record pulls more. Without probabilities all
    records are candidates alike.
    """
    from sklearn.cluster import MiniBatchKMeans

    places = np.flatnonzero(open_)
    rng = np.random.default_rng(seed)
    if probabilities is None:
        candidates = np.sort(rng.permutation(places)[:_MOST])
        weight = np.ones(len(candidates))
    else:
        uncertain = 1 - np.abs(2 * probabilities[places] - 1)
        order = np.lexsort((rng.random(len(places)), -uncertain))[: min(_MOST, CANDIDATES * size)]
        candidates, weight = places[order], np.maximum(uncertain[order], 1e-6)
    if len(candidates) <= size:
        return np.sort(candidates)
    rows = space[candidates]
    means = MiniBatchKMeans(size, random_state=seed, n_init=1).fit(rows, sample_weight=weight).cluster_centers_
    distances = pairwise_distances(rows, means)
    chosen: list[int] = []
    for cluster in range(size):  # alike clusters may share their nearest record: then the next one
        nearest = np.argsort(distances[:, cluster], kind="stable")
        chosen.append(next(int(i) for i in nearest if int(i) not in chosen))
    return np.sort(candidates[chosen])


def spread(open_: np.ndarray, probabilities: np.ndarray, size: int, seed: int) -> np.ndarray:
    """`size` places among those where `open_` (all where there are no more), sorted: one at random of each of so
    many strata of equally many records with similar probabilities."""
    places = np.flatnonzero(open_)
    if len(places) <= size:
        return places
    rng = np.random.default_rng(seed)
    order = places[np.lexsort((rng.random(len(places)), probabilities[places]))]
    return np.sort([rng.choice(stratum) for stratum in np.array_split(order, size)])


def _space(features: np.ndarray) -> np.ndarray:
    """Ranks of every feature in [0, 1], missing values in the middle, by their principal components: where
    distance means difference whatever a feature's scale."""
    from sklearn.decomposition import PCA

    ranks = np.full(features.shape, 0.5)
    for i, column in enumerate(features.T):
        known = np.flatnonzero(~np.isnan(column))
        ordered = np.sort(column[known])
        ranks[known, i] = np.searchsorted(ordered, column[known], side="left") / max(1, len(known))
    size = min(_DIMENSIONS, min(ranks.shape))
    return np.asarray(PCA(size, svd_solver="randomized", random_state=0).fit_transform(ranks))
