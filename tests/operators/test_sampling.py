"""Sampling on clustered vectors, and on the inputs that break samplers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators import sampling
from operators.errors import ConfigError, DataError
from operators.fidelity import EnergyDistance
from operators.sampling import allocate, sample

METHODS = ["herding", "kmeans", "uniform"]
FLAGS = [True, False, None]


def clustered(n: int, seed: int = 0, d: int = 24) -> np.ndarray:
    """Unit vectors around twelve centres of unequal weight."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(12, d))
    weights = rng.dirichlet(np.ones(12))
    rows = centres[rng.choice(12, n, p=weights)] + 0.4 * rng.normal(size=(n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("method", METHODS)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_size_and_flag_shares_are_exact(method, data):
    n = data.draw(st.integers(1, 120))
    flags = data.draw(st.lists(st.sampled_from(FLAGS), min_size=n, max_size=n))
    fraction = data.draw(st.floats(0.01, 1))
    minimum = data.draw(st.integers(1, 40))
    chosen = sample(clustered(n), flags, fraction=fraction, minimum=minimum, method=method, seed=1)
    assert len(chosen) == min(n, max(round(fraction * n), minimum))
    assert (np.diff(chosen) > 0).all()
    whole, part = Counter(flags), Counter(flags[i] for i in chosen)
    assert all(abs(part[f] - whole[f] * len(chosen) / n) < 1 for f in FLAGS)


@given(sizes=st.lists(st.integers(0, 50), min_size=1, max_size=6), share=st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_allocation_is_proportional_to_one(sizes, share):
    total = int(share * sum(sizes))
    quotas = allocate(sizes, total)
    assert sum(quotas) == total
    assert all(
        0 <= q <= s and abs(q - s * total / max(1, sum(sizes))) < 1 for q, s in zip(quotas, sizes, strict=True)
    )


@pytest.mark.parametrize("method", ["herding", "uniform"])
def test_order_of_the_rows_is_irrelevant(method):
    rows = clustered(400)
    flags = [FLAGS[i % 3] for i in range(400)]
    shuffled = np.random.default_rng(5).permutation(400)
    one = sample(rows, flags, fraction=0.2, minimum=1, method=method, seed=3)
    other = sample(rows[shuffled], [flags[i] for i in shuffled], fraction=0.2, minimum=1, method=method, seed=3)
    assert set(one) == set(shuffled[other])


def test_seed_changes_a_uniform_sample_and_repeats_it():
    rows, flags = clustered(200), [False] * 200
    draw = {s: tuple(sample(rows, flags, fraction=0.2, minimum=1, method="uniform", seed=s)) for s in (0, 1)}
    assert draw[0] != draw[1]
    assert draw[0] == tuple(sample(rows, flags, fraction=0.2, minimum=1, method="uniform", seed=0))


@pytest.mark.parametrize("block", [4096, 150])
def test_herding_is_closer_than_uniform_sampling(block, monkeypatch):
    monkeypatch.setattr(sampling, "BLOCK", block)
    rows = clustered(1500)
    rows = rows[np.lexsort(rows.T[:2])]  # a sorted file must do as well
    flags = [bool(i % 3) for i in range(1500)]
    chosen = sample(rows, flags, fraction=0.2, minimum=1, seed=0)
    rng = np.random.default_rng(0)
    distance = EnergyDistance(rows, rng)
    by_chance = np.median([distance(rng.choice(1500, 300, replace=False)) for _ in range(50)])
    assert distance(chosen) <= 0.70 * by_chance
    for flag in (True, False):
        part = np.array([i for i, f in enumerate(flags) if f is flag])
        inside = np.flatnonzero(np.isin(part, chosen))
        within = EnergyDistance(rows[part], rng)
        chance = [within(rng.choice(len(part), len(inside), replace=False)) for _ in range(50)]
        assert within(inside) <= np.median(chance)


def test_kmeans_is_closer_than_uniform_sampling():
    rows = clustered(1500)
    chosen = sample(rows, [False] * 1500, fraction=0.2, minimum=1, method="kmeans", seed=0)
    rng = np.random.default_rng(0)
    distance = EnergyDistance(rows, rng)
    assert distance(chosen) < np.median([distance(rng.choice(1500, 300, replace=False)) for _ in range(50)])


@pytest.mark.parametrize("method", METHODS)
def test_identical_rows(method):
    rows = np.tile(clustered(1), (500, 1))
    assert len(set(sample(rows, [None] * 500, fraction=0.3, minimum=1, method=method, seed=0))) == 150


def test_a_million_identical_rows_are_clustered():
    rows = np.ones((1_000_000, 2), np.float32)
    flags = np.arange(1_000_000) % 4 == 0
    chosen = sample(rows, flags.tolist(), fraction=0.001, minimum=1, method="kmeans", seed=0)
    assert len(set(chosen)) == 1000
    assert flags[chosen].sum() == 250


def test_identical_rows_fill_several_blocks():
    rows = np.ones((3 * sampling.BLOCK + 1, 2), np.float32)
    assert len(set(sample(rows, [False] * len(rows), fraction=0.01, minimum=1, seed=0))) == 123


def test_everything_nothing_and_few():
    rows = clustered(20)
    assert list(sample(rows, [False] * 20, fraction=1.0, minimum=1)) == list(range(20))
    assert list(sample(rows, [False] * 20, fraction=0.2, minimum=200)) == list(range(20))
    assert len(sample(rows, [False] * 20, fraction=0.01, minimum=1)) == 1
    assert len(sample(rows[:0], [], fraction=0.2, minimum=10)) == 0


def test_bad_input_is_named():
    rows = clustered(10)
    with pytest.raises(DataError, match=r"10, 24.*9 flags"):
        sample(rows, [False] * 9, fraction=0.2, minimum=1)
    with pytest.raises(ConfigError, match=r"sampling\.fraction is 0"):
        sample(rows, [False] * 10, fraction=0, minimum=1)
    rows[3, 5] = np.nan
    rows[7, 0] = np.inf
    with pytest.raises(DataError, match=r"2 of 10 embeddings.*rows 3, 7"):
        sample(rows, [False] * 10, fraction=0.2, minimum=1)


@pytest.mark.parametrize("method", METHODS)
def test_copies_are_drawn_one_by_one(method):
    """Half of the rows say the same: about half of a sample does, whatever the seed."""
    rows = clustered(400)
    rows[::2] = rows[0]
    for seed in range(4):
        chosen = sample(rows, [None] * 400, fraction=0.2, minimum=1, method=method, seed=seed)
        assert 25 <= sum(i % 2 == 0 for i in chosen) <= 55
