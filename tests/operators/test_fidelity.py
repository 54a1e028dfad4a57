"""Fidelity figures against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from operators import fidelity as module
from operators.errors import DataError
from operators.fidelity import EnergyDistance, fidelity


def rows(n: int, seed: int = 0, d: int = 16) -> np.ndarray:
    made = np.random.default_rng(seed).normal(size=(n, d))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def by_definition(all_rows: np.ndarray, some: np.ndarray) -> float:
    return 2 * cdist(all_rows, some).mean() - cdist(all_rows, all_rows).mean() - cdist(some, some).mean()


@given(n=st.integers(2, 80), share=st.floats(0.05, 1), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_energy_distance_is_the_v_statistic(n, share, seed):
    x = rows(n, seed)
    chosen = np.arange(max(1, int(share * n)))
    measured = EnergyDistance(x, np.random.default_rng(0))(chosen)
    assert measured == pytest.approx(by_definition(x, x[chosen]), abs=2e-6)


def test_directions_agree_with_all_pairs(monkeypatch):
    x = rows(900)
    chosen = np.argsort(x[:, 0])[:200]
    exact = EnergyDistance(x, np.random.default_rng(0))(chosen)
    monkeypatch.setattr(module, "EXACT_ROWS", 300)
    assert EnergyDistance(x, np.random.default_rng(0))(chosen) == pytest.approx(exact, rel=0.2)


def test_expected_distance_of_a_uniform_sample():
    x = rows(600)
    rng = np.random.default_rng(0)
    distance = EnergyDistance(x, rng)
    drawn = np.mean([distance(rng.choice(600, 60, replace=False)) for _ in range(200)])
    assert distance.expected(60) == pytest.approx(drawn, rel=0.05)


def test_the_whole_set_is_faithful():
    x = rows(300)
    found = fidelity(x, [True, False] * 150, range(300), np.arange(300))
    assert found.energy_distance == pytest.approx(0, abs=1e-6)
    assert found.mmd == pytest.approx(0, abs=1e-9)
    assert found.length_distance == 0
    assert found.flagged_share == found.flagged_share_sampled == 0.5
    assert found.warning is None


def test_a_one_sided_sample_is_reported():
    x = rows(1000)
    chosen = np.sort(np.argsort(x[:, 0])[:200])
    found = fidelity(x, [bool(v > 0) for v in x[:, 0]], [int(1000 * v) for v in x[:, 0]], chosen)
    assert found.energy_ratio > 3
    assert found.mmd > 3 * found.uniform_mmd
    assert found.length_distance > 0.5
    assert "more than a uniform sample" in found.warning
    assert "0 of" in found.warning
    assert "flagged" in found.warning


def test_a_small_sample_is_reported():
    found = fidelity(rows(400), [False] * 400, range(400), np.arange(0, 400, 10), references=5)
    assert "only 40 records" in found.warning


def test_identical_rows():
    found = fidelity(np.tile(rows(1), (300, 1)), [None] * 300, [7] * 300, np.arange(150))
    assert found.energy_ratio == pytest.approx(1)
    assert found.flagged_share == 1


def test_same_seed_same_figures():
    x, chosen = rows(300), np.arange(0, 300, 2)
    one, other = (fidelity(x, [False] * 300, range(300), chosen, seed=4) for _ in range(2))
    assert one == other


def test_bad_input_is_named():
    x = rows(10)
    with pytest.raises(ValueError, match="empty"):
        fidelity(x, [False] * 10, range(10), np.arange(0))
    x[2] = np.nan
    with pytest.raises(DataError, match="rows 2"):
        fidelity(x, [False] * 10, range(10), np.arange(3))
