"""What stands out of a set, without a model."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.targeting.matrix import Matrix
from operators.targeting.typical import extremeness, outlyingness


def matrix(columns: dict[str, np.ndarray]) -> Matrix:
    records = np.column_stack(list(columns.values()))
    return Matrix(
        list(columns),
        records,
        np.empty((0, len(columns))),
        np.empty(0, int),
        [],
        np.arange(len(records)),
        np.arange(len(records)),
    )


def ordinary(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "answer_markup": np.zeros(n),
        "answer_length": rng.normal(5, 0.3, n),
        "similarity": rng.uniform(0.5, 0.9, n),
        "answer_spaces": rng.uniform(0, 1, n),  # has no bad direction
    }


def test_only_bad_directions_stand_out():
    columns = ordinary(200)
    columns["answer_markup"][3] = 4  # tags where nobody has any
    columns["answer_length"][5] = 1  # says almost nothing
    columns["answer_length"][6] = 9  # says a lot
    columns["similarity"][7] = -0.4  # answers another question
    columns["answer_spaces"][8] = 50
    found = outlyingness(matrix(columns), np.ones(200, bool))
    assert set(np.flatnonzero(found > 2.5)) == {3, 5, 7}


@given(seed=st.integers(0, 1000), share=st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_degrees_are_finite_whatever_is_missing(seed, share):
    rng = np.random.default_rng(seed)
    columns = {k: np.where(rng.random(60) < share, np.nan, v) for k, v in ordinary(60, seed).items()}
    made = matrix(columns)
    for degree in (outlyingness(made, rng.random(60) < 0.5), extremeness(made)):
        assert degree.shape == (60,)
        assert np.isfinite(degree).all()
        assert (degree >= 0).all()
