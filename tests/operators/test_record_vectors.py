"""Records as vectors of their two sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.data.records import Message, Record
from operators.embedding import embed
from operators.record_vectors import as_sides, embed_records, whole

RECORDS = [
    Record("0", (Message("user", "What is pain?"), Message("assistant", "A sign."))),
    Record("1", (Message("system", "Be brief."), Message("user", "And a cyst?"), Message("assistant", "A sac."))),
    Record("2", (Message("user", " \n"), Message("assistant", "It is a sign."))),
    Record("3", (Message("user", "What is a sign?"),)),
    Record("4", (Message("user", ""), Message("assistant", ""))),
]


def test_sides_are_read_apart_and_blank_ones_are_zero(tmp_path):
    found = embed_records(iter(RECORDS), len(RECORDS), file=tmp_path / "vectors.npy")
    assert (found[0] == embed(["What is pain?", "A sign."])).all()
    assert (found[1] == embed(["Be brief.\nAnd a cyst?", "A sac."])).all()
    assert not found[[2, 3, 4, 4], [0, 1, 0, 1]].any()
    assert (found == embed_records(RECORDS, len(RECORDS))).all()


def test_the_file_holds_them_all(tmp_path):
    found = embed_records(RECORDS, len(RECORDS), file=tmp_path / "vectors.npy").copy()
    assert (as_sides(np.load(tmp_path / "vectors.npy", allow_pickle=False)) == found).all()


def test_a_record_with_one_side_is_that_side():
    sides = embed_records(RECORDS, len(RECORDS))
    found = whole(sides)
    assert found[2] == pytest.approx(sides[2, 1])
    assert found[3] == pytest.approx(sides[3, 0])
    assert not found[4].any()


def test_no_records():
    assert whole(embed_records([], 0)).shape == (0, 384)


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_a_record_lies_as_near_to_its_question_as_to_its_answer(rows: int, seed: int):
    sides = np.random.default_rng(seed).normal(size=(rows, 2, 16))
    sides /= np.linalg.norm(sides, axis=2, keepdims=True)
    found = whole(sides)
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(rows), abs=1e-4)
    near = np.einsum("nd,nsd->ns", found, sides)
    assert near[:, 0] == pytest.approx(near[:, 1], abs=1e-4)
