"""Keeps generated text from repeating the set, itself or an evaluation question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from operators.data.records import Record
from operators.llm.checks import normalized
from operators.text.near_duplicates import near_duplicates, near_duplicates_of
from operators.text.shingles import Shingling

Overlap = Literal["evaluation", "duplicate"]


def overlaps(
    candidates: Sequence[Record],
    existing: Sequence[Record],
    held_out: Sequence[Record],
    threshold: float,
    *,
    new_questions: bool,
) -> list[Overlap | None]:
    """Why each candidate may not enter the set: it repeats an evaluation record, or a record of the set or an
    earlier candidate; None where it may.

    A repeat reads the same (case, punctuation and Unicode forms aside) or has a Jaccard similarity of 5-grams
    of at least `threshold`. With `new_questions` the candidates' questions are generated too, and a question
    alone must not repeat one either: the same question with another answer would contradict the set.
    """
    if not candidates:
        return []
    how = Shingling(threshold=threshold)
    texts = [c.text for c in candidates]
    leaked = _repeats(candidates, texts, held_out, how, new_questions)
    known = _repeats(candidates, texts, existing, how, new_questions)
    earlier = near_duplicates(texts, how) >= 0
    found: list[Overlap | None] = []
    seen: set[str] = set()
    for i, candidate in enumerate(candidates):
        key = normalized(candidate.question if new_questions else candidate.text)
        repeated = known[i] or bool(earlier[i]) or key in seen
        seen.add(key)
        found.append("evaluation" if leaked[i] else "duplicate" if repeated else None)
    return found


def _repeats(
    candidates: Sequence[Record],
    texts: Sequence[str],
    others: Sequence[Record],
    how: Shingling,
    by_question: bool,
) -> list[bool]:
    whole = {normalized(r.text) for r in others}
    questions = {normalized(r.question) for r in others} - {""} if by_question else set()
    near = near_duplicates_of(texts, [r.text for r in others], how)
    return [
        bool(near[i]) or normalized(texts[i]) in whole or normalized(c.question) in questions
        for i, c in enumerate(candidates)
    ]
