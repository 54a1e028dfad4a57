"""Records as vectors: the embeddings of what is asked and of what is answered, each read on its own.

A model that reads 128 tokens sees of a whole record often just the question. Apart, both sides are read, which
costs about as much as the whole would, and whoever compares records and whoever compares sides share the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from operators.data.records import Record
from operators.embedding import Progress, embed_stream
from operators.models import MINILM

_BLOCK = 1 << 16


def embed_records(
    records: Iterable[Record],
    rows: int,
    model: str = MINILM,
    *,
    file: Path | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Embeddings of both sides of `rows` records that come one by one: float32 of shape (rows, 2, d), what is
    asked before what is answered, each of unit length, or zero where that side is blank.

    With `file` they are written there in NumPy's format, as (2 * rows, d), and the array is a map of it. Raises
    as `operators.embedding.embed_stream`; `progress` counts sides.
    """
    blank: list[bool] = []

    def sides() -> Iterator[str]:
        for record in records:
            for side in record.sides:
                blank.append(not side.strip())
                yield side

    found = embed_stream(sides(), 2 * rows, model, file=file, progress=progress)
    found[np.array(blank, bool)] = 0
    return as_sides(found)


def as_sides(vectors: np.ndarray) -> np.ndarray:
    """What `embed_records` wrote to a file, as the shape (rows, 2, d) it returned."""
    return vectors.reshape(len(vectors) // 2, 2, vectors.shape[1])


def whole(sides: np.ndarray) -> np.ndarray:
    """One vector a record from those of its sides, shape (n, 2, d): their mean direction, float32 of shape (n, d)
    and unit length; the zero vector where both are blank or point opposite ways."""
    found = np.empty((sides.shape[0], sides.shape[2]), np.float32)
    for start in range(0, len(sides), _BLOCK):
        part = sides[start : start + _BLOCK].sum(axis=1)
        with np.errstate(invalid="ignore"):  # what is not finite stays so, for who checks it
            found[start : start + _BLOCK] = part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12)
    return found
