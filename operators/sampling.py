"""Distribution-preserving sampling: a subset whose embeddings are distributed like those of the whole set.

The set is split by the quality flag, so that the sample keeps its share of low-quality records to the record, and
each part is then sampled by itself. Time and memory grow linearly with the rows: distances are computed only
inside blocks of bounded size.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from operators.errors import ConfigError, DataError

Method = Literal["herding", "kmeans", "uniform"]

BLOCK = 4096
"""Rows herded at once. A block's distance matrix is 64 MB."""
CLUSTERS = 256


def sample(
    embeddings: np.ndarray,
    flags: Sequence[bool | None],
    *,
    fraction: float,
    minimum: int,
    method: Method = "herding",
    seed: int = 0,
) -> np.ndarray:
    """Sorted indices of the sample: max(`fraction` of the rows, `minimum`) of them, or all where fewer exist.

    `embeddings` is of shape (n, d), `flags` of length n. Every flag value (low quality, clean, undecided) keeps
    its share to one record. The order of the rows does not matter: the same records are chosen from a shuffled
    set (among rows with equal embeddings and flags, which one is chosen may differ).

    "herding" minimises the energy distance between each part and its sample, "kmeans" takes from each of up to
    256 clusters its share, "uniform" is the control. Raises DataError where a row is not finite or the lengths
    differ, ConfigError where `fraction` is outside (0, 1].
    """
    if not 0 < fraction <= 1:
        raise ConfigError(f"sampling.fraction is {fraction}: give a share above 0 and at most 1")
    if embeddings.ndim != 2 or len(embeddings) != len(flags):
        raise DataError(f"expected one embedding a flag, got shape {embeddings.shape} and {len(flags)} flags")
    check_finite(embeddings)
    total = len(flags)
    size = min(total, max(round(fraction * total), minimum))
    if size == total:
        return np.arange(total)
    order = _canonical_order(embeddings, seed)
    codes = np.array([2 if f is None else int(f) for f in flags], np.int8)[order]
    parts = [order[codes == code] for code in (0, 1, 2)]
    quotas = allocate([len(p) for p in parts], size)
    choose = _METHODS[method]
    chosen = [p[choose(embeddings, p, q, seed)] for p, q in zip(parts, quotas, strict=True) if q]
    return np.sort(np.concatenate(chosen)) if chosen else np.arange(0)


def check_finite(embeddings: np.ndarray) -> None:
    """Raises DataError naming the first rows that hold NaN or infinity."""
    bad = np.flatnonzero(~np.isfinite(embeddings.sum(axis=1, dtype=np.float64)))
    if len(bad):
        rows = ", ".join(map(str, bad[:5])) + ("..." if len(bad) > 5 else "")
        raise DataError(
            f"{len(bad)} of {len(embeddings)} embeddings are not finite (rows {rows}): check the embedding model"
        )


def allocate(sizes: Sequence[int], total: int) -> list[int]:
    """`total` split in proportion to `sizes` by largest remainder: each part within one of its exact share and
    never above its size. `total` must not exceed their sum."""
    whole = sum(sizes)
    if not whole:
        return [0] * len(sizes)
    shares = [divmod(s * total, whole) for s in sizes]
    left = total - sum(q for q, _ in shares)
    first = sorted(range(len(sizes)), key=lambda i: (-shares[i][1], i))[:left]
    return [q + (i in first) for i, (q, _) in enumerate(shares)]


def _canonical_order(embeddings: np.ndarray, seed: int) -> np.ndarray:
    """An order of the rows that looks random and depends on their contents and the seed, not on their places."""
    key = str(seed).encode()[:64]
    rows = np.ascontiguousarray(embeddings, np.float32)
    copies: Counter[bytes] = Counter()
    prints = []
    for row in rows:
        found = hashlib.blake2b(row, digest_size=8, key=key)
        own = found.digest()
        if copies[own]:  # else equal rows would stand side by side, and be drawn all or none
            found.update(copies[own].to_bytes(8, "big"))
        copies[own] += 1
        prints.append(found.digest())
    return np.argsort(np.frombuffer(b"".join(prints), ">u8"), kind="stable")


def _uniform(_embeddings: np.ndarray, _part: np.ndarray, quota: int, _seed: int) -> np.ndarray:
    return np.arange(quota)  # the part is already in random order


def _herding(embeddings: np.ndarray, part: np.ndarray, quota: int, _seed: int) -> np.ndarray:
    """Kernel herding (Chen, Welling & Smola 2010) with the kernel -||x - y||, whose discrepancy is the energy
    distance (Sejdinovic et al. 2013), so no bandwidth has to be chosen. Random blocks of a large part are herded
    one by one: if every block's sample matches its block, their union matches the union of blocks."""
    blocks = np.array_split(np.arange(len(part)), -(-len(part) // BLOCK))
    quotas = allocate([len(b) for b in blocks], quota)
    return np.concatenate([b[_herd(embeddings[part[b]], q)] for b, q in zip(blocks, quotas, strict=True) if q])


def _herd(rows: np.ndarray, quota: int) -> np.ndarray:
    """`quota` places in `rows`, of shape (n, d), chosen greedily (exchanges afterwards gain less than 1 %).

    With m(x) the mean distance from x to all rows, the energy distance between rows and a sample S of size s is
    2 mean_S m - mean_SxS d - const; the row that lowers it most minimises m(x) - sum_S d(x, .) / s.
    """
    distances = pairwise_distances(rows, rows)
    np.fill_diagonal(distances, 0)  # rounding leaves a little there
    mean = distances.mean(axis=1, dtype=np.float64)
    to_sample = np.zeros(len(rows))
    taken = np.zeros(len(rows))  # infinity where a row is in the sample
    chosen = np.empty(quota, np.int64)
    for i in range(quota):
        chosen[i] = best = np.argmin(mean - to_sample / (i + 1) + taken)
        taken[best] = np.inf
        to_sample += distances[best]
    return chosen


def pairwise_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Euclidean distances, float32 of shape (len(a), len(b))."""
    squares = a @ b.T
    squares *= -2
    squares += np.einsum("ij,ij->i", a, a)[:, None]
    squares += np.einsum("ij,ij->i", b, b)[None]
    return np.sqrt(np.maximum(squares, 0, out=squares), out=squares)


def _kmeans(embeddings: np.ndarray, part: np.ndarray, quota: int, seed: int) -> np.ndarray:
    """Spherical strata of Lloyd's algorithm; each gives its share, in random order."""
    import faiss

    clusters = max(1, min(CLUSTERS, quota // 4))
    rows = np.ascontiguousarray(embeddings[part], np.float32)
    means = faiss.Kmeans(
        rows.shape[1],
        clusters,
        niter=20,
        seed=seed % 2**31,
        min_points_per_centroid=1,
        max_points_per_centroid=256,
    )
    means.train(rows)
    _, nearest = means.index.search(rows, 1)
    members = [np.flatnonzero(nearest[:, 0] == c) for c in range(clusters)]
    quotas = allocate([len(m) for m in members], quota)
    return np.concatenate([m[:q] for m, q in zip(members, quotas, strict=True)])


_METHODS: dict[Method, Callable[[np.ndarray, np.ndarray, int, int], np.ndarray]] = {
    "herding": _herding,
    "kmeans": _kmeans,
    "uniform": _uniform,
}
