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
    questions: Sequence[str],
) -> list[Overlap | None]:
    """Why each candidate may not enter the set: it repeats an evaluation record, or a record of the set or an
    earlier candidate; None where it may.

    A repeat reads the same (case, punctuation and Unicode forms aside) or has a Jaccard similarity of 5-grams
    of at least `threshold`: to an evaluation record, to one of its questions, or to a record of the set.
    `questions` has the opening question of each candidate where it is generated, and "" elsewhere. Such a question
    must not read like any question of the set, whatever its answer: the same question with another answer would
    contradict the set.
    """
    if not candidates:
        return []
    how = Shingling(threshold=threshold)
    texts = [c.text for c in candidates]
    opening = [c.question for c in candidates]
    leaked = _repeats(texts, opening, held_out, how)
    asked = [m.content for r in held_out for m in r.messages if m.role == "user"]
    near = near_duplicates_of(opening, asked, how, least_tokens=how.ngram)
    known = _repeats(texts, questions, existing, how)
    earlier = near_duplicates(texts, how) >= 0
    found: list[Overlap | None] = []
    seen: set[str] = set()
    for i, text in enumerate(texts):
        key = normalized(questions[i] or text)
        repeated = known[i] or bool(earlier[i]) or key in seen
        seen.add(key)
        found.append("evaluation" if leaked[i] or near[i] else "duplicate" if repeated else None)
    return found


def _repeats(
    texts: Sequence[str], questions: Sequence[str], others: Sequence[Record], how: Shingling
) -> list[bool]:
    whole = {normalized(r.text) for r in others}
    asked = {normalized(m.content) for r in others for m in r.messages if m.role == "user"} - {""}
    near = near_duplicates_of(texts, [r.text for r in others], how)
    return [
        bool(near[i]) or normalized(text) in whole or bool(question and normalized(question) in asked)
        for i, (text, question) in enumerate(zip(texts, questions, strict=True))
    ]
