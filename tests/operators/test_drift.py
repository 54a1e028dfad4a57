"""Drift: near zero for the same distribution whatever the sizes, far from it for another."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from operators.drift import MAX_DRIFT, SAMPLE, allowed, choose_rows, drift, make_reference
from operators.errors import DataError


def cloud(rows: int, centre: float, seed: int, dimensions: int = 32) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(rows, dimensions)) / 6
    found[:, 0] += 1
    found[:, 1] += centre
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(("old", "new"), [(2000, 500), (300, 100), (2000, 40)])
def test_sets_of_one_distribution_do_not_drift_on_average(old: int, new: int) -> None:
    reference = make_reference(cloud(old, 0, 0), "model", "sha")
    found = [drift(reference, cloud(new, 0, seed)) for seed in range(1, 31)]
    assert abs(np.mean(found)) < 0.2 / new + 0.2 / old
    assert max(found) < MAX_DRIFT


def test_drift_grows_with_the_distance() -> None:
    reference = make_reference(cloud(1000, 0, 0), "model", "sha")
    found = [drift(reference, cloud(500, centre, 1)) for centre in (0.0, 0.3, 0.6, 1.2)]
    assert found == sorted(found)
    assert found[-1] > 5 * MAX_DRIFT


def test_a_reference_survives_its_file() -> None:
    rows = cloud(200, 0, 0)
    reference = make_reference(rows, "model", "sha", seed=3)
    again = type(reference).model_validate_json(reference.model_dump_json())
    assert drift(again, cloud(100, 1, 1)) == drift(reference, cloud(100, 1, 1))
    assert len(reference.mean) == 1024
    assert reference == make_reference(rows, "model", "sha", seed=3)


def test_not_a_number_is_refused() -> None:
    rows = cloud(10, 0, 0)
    reference = make_reference(rows, "model", "sha")
    rows[3, 3] = np.nan
    with pytest.raises(DataError, match="not finite"):
        drift(reference, rows)


def test_rows_are_spread_over_the_file() -> None:
    assert choose_rows(5) == [0, 1, 2, 3, 4]
    chosen = choose_rows(10_000, seed=1)
    assert len(set(chosen)) == SAMPLE
    assert chosen == sorted(chosen)
    assert chosen != choose_rows(10_000, seed=2)
    assert chosen[-1] < 10_000
    assert max(b - a for a, b in itertools.pairwise(chosen)) <= 2 * -(-10_000 // SAMPLE)


@pytest.mark.parametrize("new", [1, 2, 4, 8])
def test_a_few_records_do_not_drift_because_they_are_few(new: int) -> None:
    reference = make_reference(cloud(1000, 0, 0), "model", "sha")
    found = [drift(reference, cloud(new, 0, seed)) for seed in range(1, 101)]
    assert abs(np.mean(found)) < 0.02
    assert np.mean([d > allowed(MAX_DRIFT, new) for d in found]) < 0.15
