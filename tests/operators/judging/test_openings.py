"""How often the sealed questions were opened."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from operators.judging.openings import level, opening


@pytest.mark.parametrize("remote", [False, True])
def test_a_candidate_keeps_its_number(tmp_path: Path, remote: bool) -> None:
    store = f"memory://{uuid.uuid4().hex}" if remote else str(tmp_path)
    assert [opening(store, "q", c) for c in ("a", "b", "a", "c", "b")] == [1, 2, 1, 3, 2]
    assert opening(store, "other questions", "c") == 1


def test_the_error_is_shared_among_the_candidates() -> None:
    assert [level(0.95, number) for number in (1, 2, 5)] == pytest.approx([0.95, 0.975, 0.99])
