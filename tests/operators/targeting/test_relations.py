"""A record among the others: neighbours, ranks, agreement."""

from __future__ import annotations

import faiss
import numpy as np
from threadpoolctl import threadpool_limits

from operators.targeting.corruptions import Sides
from operators.targeting.relations import Relations


def test_features_are_the_same_on_any_number_of_threads():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((3000, 384)).astype(np.float32)
    rows[2000:] = rows[:1000]  # equally near ones
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    sides = [Sides("What?", "That.", i, (i * 7) % 3000) for i in range(0, 3000, 5)]
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):  # of faiss as well, and put back afterwards
            assert faiss.omp_get_max_threads() == threads
            relations = Relations(rows, rows[::-1], rows, np.arange(3000), seed=0)
            found.append((relations.features(sides), [relations.near(each) for each in sides]))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


def test_a_copy_of_an_answer_is_no_better_than_the_answer():
    """Ranks of equal similarities do not hang on which sum they come from."""
    rng = np.random.default_rng(1)
    one = rng.standard_normal((1, 384)).astype(np.float32)
    rows = np.repeat(one / np.linalg.norm(one), 50, axis=0)
    rows[:10] = np.eye(10, 384, dtype=np.float32)  # so that the mean is none of them
    found = Relations(rows, rows, rows, np.arange(50), seed=0).features([Sides("What?", "That.", 20, 20)])
    assert found[0, 2] == found[0, 3] == 0, "nobody fits better than one that fits as well"
