"""Digests are equal where contents are, on every machine."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from operators.digest import canonical_json, digest, digest_lines


class Params(BaseModel):
    b: int = 1
    a: float = 0.5


def test_known_values() -> None:
    assert canonical_json({"b": [1, None], "a": "é"}) == '{"a":"é","b":[1,null]}'
    assert canonical_json(Params()) == '{"a":0.5,"b":1}'
    # printf '["a",1]' | sha256sum
    assert digest("a", 1) == "135f17a475a61afdeeaf3759ad2e45ad1c7abb192395abe47e41fc8e395dc1a9"
    # printf '\x01\0\0\0\0\0\0\0a\x02\0\0\0\0\0\0\0bc' | sha256sum
    assert digest_lines(["a", "bc"]) == "9a8acca1b6c6c0befd3fbc756aed625da998c998f7252e738c4ef061906b9b21"


@given(st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=4), max_size=5), st.randoms())
@settings(max_examples=80, deadline=None)
def test_key_order_does_not_matter(value: dict, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = dict(random.sample(list(value.items()), len(value)))
    assert digest(shuffled) == digest(value)


@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
@settings(max_examples=150, deadline=None)
def test_different_sequences_have_different_digests(a: list[str], b: list[str]) -> None:
    assert (digest_lines(a) == digest_lines(b)) == (a == b)
    assert (digest(*a) == digest(*b)) == (a == b)


@pytest.mark.parametrize("value", [{1, 2}, object(), b"bytes"])
def test_values_without_a_canonical_form_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no canonical JSON form"):
        digest(value)


def test_another_process_with_another_hash_seed_agrees() -> None:
    code = "from operators.digest import digest; print(digest('x', {'b': [1.5, None], 'a': 'é'}, (True,)))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert outputs.pop().strip() == digest("x", {"a": "é", "b": [1.5, None]}, [True])
