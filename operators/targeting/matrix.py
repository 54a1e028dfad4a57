"""Builds the classifier's input: one row of numbers for each record, and for each damaged copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from operators.data.records import Record
from operators.targeting.corruptions import CORRUPTIONS, Sides
from operators.targeting.describing import CHUNK, Describer, Part
from operators.targeting.features import OVERLAPS
from operators.targeting.grams import MAX_CHARACTERS
from operators.targeting.relations import NAMES, Relations
from operators.text.alike import bare

KNOWN = 5000
"""Records that the set's statistics, neighbours and damaged copies are taken from: all of a smaller set, a random
part of a larger one, so that time and memory grow linearly."""


@dataclass(frozen=True)
class Matrix:
    """Numbers of records and copies, float64 with NaN where undefined.

    `records` is of shape (n, f), `copies` of shape (m, f); `sources[i]` is the place of the record that copy i
    was made from, `kinds[i]` how it was damaged. `known` are the places, in order, of the records that copies were
    made from or could have been: all of a small set. Records that say the same, but for letter case and white
    space, have the same number in `same`, of shape (n,).
    """

    names: list[str]
    records: np.ndarray
    copies: np.ndarray
    sources: np.ndarray
    kinds: list[str]
    known: np.ndarray
    same: np.ndarray

    def known_part(self) -> Matrix:
        """The known records alone, with the same copies."""
        sources, places = np.searchsorted(self.known, self.sources), np.arange(len(self.known))
        return Matrix(
            self.names, self.records[self.known], self.copies, sources, self.kinds, places, self.same[self.known]
        )


def build_matrix(
    records: Sequence[Record],
    vectors: np.ndarray,
    of_records: np.ndarray,
    *,
    seed: int,
    kinds: Sequence[str] = tuple(CORRUPTIONS),
    workers: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> Matrix:
    """Numbers of all records and of copies damaged in the given `kinds` (none: no copies).

    `vectors` are of the records' sides, shape (n, 2, d), `of_records` of the whole records, shape (n, d): see
    `operators.record_vectors`. A copy uses the vectors of the records its two sides come from. The texts of a
    large set are read by as many processes as `workers`, with the same result.
    """
    sides = [_readable(Sides(*r.sides, i, i)) for i, r in enumerate(records)]
    rng = np.random.default_rng(seed)
    known = np.sort(rng.permutation(len(sides))[:KNOWN])
    relations = Relations(of_records, vectors[:, 0], vectors[:, 1], known, seed)
    describer = Describer({int(i): sides[i] for i in known}, workers)
    copies, made_as = _damage(sides, known, kinds, rng)
    of_texts = describer.names()
    text_only = len(of_texts) - len(OVERLAPS)
    names = [*of_texts[:text_only], *NAMES, *OVERLAPS]

    def numbers(part: Sequence[Sides]) -> np.ndarray:
        chunks = [part[start : start + CHUNK] for start in range(0, len(part), CHUNK)]
        parts: Iterator[Part] = ((chunk, [relations.near(each) for each in chunk]) for chunk in chunks)
        found = np.empty((len(part), len(names)))
        done = 0
        for chunk, texts in zip(chunks, describer.numbers(parts, len(part)), strict=True):
            rows = found[done : done + len(chunk)]
            rows[:, :text_only], rows[:, -len(OVERLAPS) :] = texts[:, :text_only], texts[:, text_only:]
            rows[:, text_only : -len(OVERLAPS)] = relations.features(chunk)
            done += len(chunk)
            if progress:
                progress("describing records", done, len(part))
        return found

    rows, copied_rows = numbers(sides), numbers(copies)
    sources = np.array([c.asker for c in copies], int)
    return Matrix(names, rows, copied_rows, sources, made_as, known, _same(sides))


def _readable(sides: Sides) -> Sides:
    """What features look at: damage beyond it would be none."""
    if max(len(sides.question), len(sides.answer)) <= MAX_CHARACTERS:
        return sides
    return replace(sides, question=sides.question[:MAX_CHARACTERS], answer=sides.answer[:MAX_CHARACTERS])


def _same(sides: Sequence[Sides]) -> np.ndarray:
    number: dict[tuple[str, str], int] = {}
    return np.array([number.setdefault((bare(s.question), bare(s.answer)), len(number)) for s in sides], int)


def _damage(
    sides: Sequence[Sides], known: np.ndarray, kinds: Sequence[str], rng: np.random.Generator
) -> tuple[list[Sides], list[str]]:
    """Two copies of each known record (more of a small set's), every kind equally often. Records that lack a
    side are not copied: they are damaged already."""
    copies: list[Sides] = []
    made_as: list[str] = []
    if not kinds or len(known) < 2:
        return copies, made_as
    per_record = int(np.clip(2000 // len(known), 2, 8))
    for _ in range(per_record):
        shift = int(rng.integers(0, len(kinds)))
        for place, i in enumerate(rng.permutation(known)):
            source, other = sides[i], sides[int(rng.choice(known))]
            if other is source or not source.question.strip() or not source.answer.strip():
                continue
            kind = kinds[(place + shift) % len(kinds)]
            copy = _readable(CORRUPTIONS[kind](source, other, rng))
            if copy.copy or (copy.question, copy.answer) != (source.question, source.answer):
                copies.append(copy)
                made_as.append(kind)
    return copies, made_as
