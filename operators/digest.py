"""Content digests: the identity of everything that is cached."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel


def sha256_bytes(data: bytes) -> str:
    """Hex SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces, so that equal values give equal text on every machine.

    Pydantic models count as their dumped fields. Sets and arbitrary objects are refused with a TypeError:
    their order or identity differs from process to process.
    """

    def plain(item: Any) -> Any:
        if isinstance(item, BaseModel):
            return item.model_dump(mode="json")
        raise TypeError(f"{type(item).__name__} has no canonical JSON form")

    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=plain)


def digest(*parts: Any) -> str:
    """Hex SHA-256 of the canonical JSON of `parts`."""
    return sha256_bytes(canonical_json(list(parts)).encode())


def digest_lines(lines: Iterable[str]) -> str:
    """Hex SHA-256 of a sequence of strings, order included, without joining them in memory."""
    h = hashlib.sha256()
    for line in lines:
        data = line.encode("utf-8", "surrogatepass")
        h.update(len(data).to_bytes(8, "little"))
        h.update(data)
    return h.hexdigest()
