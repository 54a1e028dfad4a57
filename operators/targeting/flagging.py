"""Which records expensive operators should touch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from operators.data.records import Record
from operators.errors import ConfigError, DataError
from operators.record_vectors import whole
from operators.sampling import check_finite
from operators.targeting.active import Ask, collect
from operators.targeting.classifier import REPEATS, with_labels, without_labels
from operators.targeting.matrix import build_matrix

FEWEST_RECORDS = 20
FEWEST_LABELS = 5
"""Of each class; with fewer, labels are set aside."""
_COMPONENTS = 16


@dataclass(frozen=True)
class Targeting:
    """The classifier's verdict on every record, in their order.

    `flags` are True (low quality) from `threshold` up, False (clean) below `clean_below`, None in the band
    between, to be processed as low quality. `expected_precision` is the mean probability of the records flagged
    True, or None where there are none. `note` says in a sentence what the figures rest on.
    """

    probabilities: np.ndarray
    flags: list[bool | None]
    threshold: float
    clean_below: float
    expected_precision: float | None
    note: str


def flag_records(
    records: Sequence[Record],
    vectors: np.ndarray,
    *,
    precision: float,
    seed: int,
    labels: Sequence[bool | None] | None = None,
    ask: Ask | None = None,
    ask_for: int = 0,
    workers: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> Targeting:
    """Scores every record as clean or low quality; one that lacks a side, where most do not, is of low quality.

    `vectors` are the records' as `operators.record_vectors.embed_records` gives them, shape (n, 2, d). Without
    `labels` the classifier learns from the set itself and damaged copies of it; with labels (True: low quality,
    None: unknown) it learns from those, and the unsupervised verdict is one of its features. `ask(places)` gives
    up to `ask_for` further labels, asked where they tell most. `precision` in (0, 1) is asked of the records
    flagged True, on average. `workers` are the processes that read the texts of a large set.

    Raises DataError where vectors or labels do not fit the records or are not finite, ConfigError where
    `precision` is out of range.
    """
    n = len(records)
    if not 0 < precision < 1:
        raise ConfigError(f"targeting.precision is {precision}: give a share between 0 and 1")
    if vectors.ndim != 3 or vectors.shape[:2] != (n, 2):
        raise DataError(f"expected two vectors a record, got shape {vectors.shape} for {n} records")
    if labels is not None and len(labels) != n:
        raise DataError(f"expected one label a record, got {len(labels)} for {n} records")
    if n < FEWEST_RECORDS:
        return _undecided(n, f"{n} records are too few to tell good from bad (at least {FEWEST_RECORDS})")
    of_records = whole(vectors)
    check_finite(of_records)
    matrix = build_matrix(records, vectors, of_records, seed=seed, workers=workers, progress=progress)
    unaided = without_labels(matrix, seed)
    given = list(labels) if labels is not None else [None] * n
    aided = (ask is not None and ask_for > 0) or any(v is not None for v in given)
    features = np.hstack([matrix.records, _reduced(of_records)]) if aided else matrix.records

    def fit(given: Sequence[bool | None], repeats: int = 1) -> np.ndarray | None:
        low, clean = _counts(given)
        if min(low, clean) < FEWEST_LABELS:
            return None
        labelled = np.array([v is not None for v in given], bool)
        target = np.array([v is True for v in given], bool)
        return with_labels(features, target, labelled, unaided, matrix.same, seed, repeats)

    if ask is not None and ask_for > 0:
        given = collect(ask, fit, features, given, ask_for, seed)
    taught = fit(given, REPEATS)
    probabilities = np.where(_lacks_side(records, given), 1.0, unaided if taught is None else taught)
    threshold, clean_below = thresholds(probabilities, precision)
    flagged = probabilities >= threshold
    flags = [
        True if f else False if p < clean_below else None for f, p in zip(flagged, probabilities, strict=True)
    ]
    return Targeting(
        probabilities,
        flags,
        threshold,
        clean_below,
        float(probabilities[flagged].mean()) if flagged.any() else None,
        _note(given, taught is not None),
    )


def _lacks_side(records: Sequence[Record], labels: Sequence[bool | None]) -> np.ndarray:
    """Where a question or an answer is missing and no label calls the record clean: a fault that needs no
    classifier. A set of which most records lack a side is meant to be so."""
    lacks = np.array([not (r.question.strip() and r.answer.strip()) for r in records], bool)
    if lacks.mean() > 0.5:
        return np.zeros(len(records), bool)
    return lacks & np.array([v is not False for v in labels], bool)


def _counts(labels: Sequence[bool | None]) -> tuple[int, int]:
    """How many say low quality, and how many clean."""
    return sum(v is True for v in labels), sum(v is False for v in labels)


def _note(labels: Sequence[bool | None], used: bool) -> str:
    low, clean = _counts(labels)
    if used:
        return f"Trained on {low + clean} labels ({low} low quality)."
    note = "No labels were used: trained on the set's records against damaged copies of them."
    if low + clean:
        given = f"{low} labels of low quality and {clean} of clean"
        few = min(low, clean) < FEWEST_LABELS
        why = f"are too few ({FEWEST_LABELS} each)" if few else "told nothing about each other"
        note += f" {given} {why}: set aside."
    return note


def thresholds(probabilities: np.ndarray, precision: float) -> tuple[float, float]:
    """(flag from, clean below). The first is the lowest value from which up the mean probability, which is the
    expected precision, reaches `precision`, but at least one half; infinite where nothing reaches it. Records
    are clean where they are so with at least that certainty: below 1 - `precision`."""
    falling = np.sort(probabilities)[::-1]
    means = np.cumsum(falling) / np.arange(1, len(falling) + 1)
    last = np.r_[falling[1:] != falling[:-1], True]  # equal ones are flagged together
    enough = falling[last & (means >= precision - 1e-9)]  # a mean of equal values may round below them
    threshold = max(0.5, float(enough[-1])) if len(enough) else float("inf")
    return threshold, min(threshold, 1 - precision)


def _reduced(embeddings: np.ndarray) -> np.ndarray:
    """The leading principal components, shape (n, 16 or fewer)."""
    from sklearn.decomposition import PCA

    size = min(_COMPONENTS, *embeddings.shape)
    with np.errstate(invalid="ignore"):  # rows that are all equal have no variance to take a share of
        return np.asarray(PCA(size, svd_solver="randomized", random_state=0).fit_transform(embeddings))


def _undecided(n: int, why: str) -> Targeting:
    return Targeting(np.full(n, 0.5), [None] * n, float("inf"), 0.0, None, f"Nothing was scored: {why}.")
