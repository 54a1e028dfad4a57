"""The flat picture of a set and its sample."""

from __future__ import annotations

import numpy as np
import pytest

from operators.errors import DataError
from operators.picture import SAMPLE_POINTS, WHOLE_POINTS, picture


def two_groups(n: int) -> np.ndarray:
    """Rows around two centres 10 apart along one axis of five."""
    rows = np.random.default_rng(0).normal(size=(n, 5)).astype(np.float32)
    rows[: n // 2, 3] += 10
    return rows


def test_groups_lie_apart_and_the_sample_lies_on_the_whole():
    rows = two_groups(200)
    found = picture(rows, np.arange(0, 200, 5))
    x = np.array(found.whole)[:, 0]
    assert abs(x[:100].mean() - x[100:].mean()) == pytest.approx(10, abs=0.5)
    assert found.sample == found.whole[::5]
    assert found.variance[0] > 0.8 > found.variance[1] > 0


def test_large_sets_are_thinned():
    found = picture(two_groups(20_000), np.arange(4000))
    assert (len(found.whole), len(found.sample)) == (WHOLE_POINTS, SAMPLE_POINTS)


@pytest.mark.parametrize("rows", [np.ones((50, 4), np.float32), np.arange(9, dtype=np.float32)[:, None]])
def test_equal_rows_and_one_dimension(rows):
    found = picture(rows, np.arange(3))
    assert np.isfinite(found.whole).all()
    assert np.ptp(np.array(found.whole)[:, 1]) == 0


def test_same_seed_same_picture():
    rows = two_groups(3000)
    assert picture(rows, np.arange(1000), seed=2) == picture(rows, np.arange(1000), seed=2)


def test_bad_rows_are_named():
    rows = two_groups(10)
    rows[4, 0] = np.nan
    with pytest.raises(DataError, match="rows 4"):
        picture(rows, np.arange(3))
