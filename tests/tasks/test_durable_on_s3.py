"""Results on a real object store: found again by every later run, whatever machine it is on."""

from __future__ import annotations

from typing import Any

import pytest
from object_store import BUCKET

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("prefect_server")]

STORE = f"s3://{BUCKET}/durable"


def test_a_result_is_computed_once(fs: Any) -> None:
    from prefect import flow

    from tasks.durable import durable, in_store

    computed: list[str] = []

    @durable("count-letters", content=lambda word: [word])
    def count(word: str) -> int:
        computed.append(word)
        return len(word)

    @flow
    def lengths(words: list[str]) -> list[int]:
        return [in_store(count, STORE)(word) for word in words]

    assert lengths(["four", "seven"]) == [4, 5]
    assert lengths(["four", "six", "seven"]) == [4, 3, 5]
    assert computed == ["four", "seven", "six"]
    fs.invalidate_cache()
    assert len([name for name in fs.find(f"{STORE}/results") if "count-letters" in name]) == 3
