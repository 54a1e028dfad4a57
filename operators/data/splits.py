"""Disjoint question sets: for development (search), for scoring trials (judge), for the verdict (sealed)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from operators.data.records import Record, conversation_digest
from operators.digest import sha256_bytes
from operators.errors import DataError
from operators.text.alike import bare


@dataclass(frozen=True)
class Splits:
    """Records to train on, and three sets of questions of which no two share one."""

    train: list[Record] = field(repr=False)
    search: list[Record] = field(repr=False)
    judge: list[Record] = field(repr=False)
    sealed: list[Record] = field(repr=False)
    removed: int = 0
    """Training records left out because an evaluation record equals them (with an evaluation set), or because
    they ask a held-out question again (without one). Held-out records themselves are not counted."""
    duplicates: int = 0
    """Evaluation records left out because their question was there already."""

    @property
    def held_out(self) -> list[Record]:
        """All evaluation records of the three sets."""
        return [*self.search, *self.judge, *self.sealed]


def question_key(record: Record) -> str:
    """What makes two questions the same: the first user turn, whatever its case and white space."""
    return bare(record.question)


def split(
    records: Sequence[Record],
    *,
    search: int,
    judge: int,
    sealed: int,
    seed: int,
    evaluation: Sequence[Record] | None = None,
    fits: Callable[[Record], bool] = lambda _: True,
) -> Splits:
    """Draws `search` + `judge` + `sealed` distinct questions and takes them out of training.

    They come from `evaluation`, or else are held out of `records`: of those flagged clean (False), and where
    these are too few, of those without a flag (None). Records that `fits` refuses are passed over. The draw
    depends on the questions and the seed, not on the order of the rows. Raises DataError where there are too few
    questions, or nothing is left to train on.
    """
    if evaluation is None:
        return _hold_out(records, search, judge, sealed, seed, fits)
    questions = _distinct(r for r in evaluation if _is_complete(r))
    needed = search + judge + sealed
    drawn = _first(needed, questions, seed, fits)
    if len(drawn) < needed:
        raise DataError(
            f"data.evaluation has too few questions: {needed} are needed "
            f"(search {search} + judge {judge} + sealed {sealed}), and {len(questions)} of its {len(evaluation)} "
            f"records are usable (with a question and an answer, each question once){_room(questions, fits)}; "
            f"{_REMEDY}, or add questions"
        )
    train = without(records, evaluation, same="conversation")
    if not train:
        raise DataError(
            "every record of data.input is also in data.evaluation, so nothing is left to train on; give "
            "different files"
        )
    duplicates = sum(map(_is_complete, evaluation)) - len(questions)
    return _cut(drawn, train, search, judge, removed=len(records) - len(train), duplicates=duplicates)


def without(
    records: Sequence[Record],
    held_out: Sequence[Record],
    *,
    same: Literal["question", "conversation"] = "question",
) -> list[Record]:
    """The records that do not repeat a held-out one: those that ask none of its questions, or, with
    `same="conversation"`, those that differ from it in some turn."""
    if same == "question":
        asked = {question_key(r) for r in held_out}
        return [r for r in records if question_key(r) not in asked]
    questions = {r.question for r in held_out}
    conversations = {conversation_digest(r) for r in held_out}
    # Comparing questions first spares most records the digest.
    return [r for r in records if r.question not in questions or conversation_digest(r) not in conversations]


_REMEDY = "lower data.search_questions, data.judge_questions or data.sealed_questions"


def _hold_out(
    records: Sequence[Record], search: int, judge: int, sealed: int, seed: int, fits: Callable[[Record], bool]
) -> Splits:
    needed = search + judge + sealed
    usable = _distinct(r for r in records if r.flagged is False and _is_complete(r))
    drawn = _first(needed, usable, seed, fits)
    if len(drawn) < needed:
        unflagged = _distinct(r for r in records if r.flagged is None and _is_complete(r))
        rest = {key: r for key, r in unflagged.items() if key not in usable}
        more = _first(needed - len(drawn), rest, seed, fits)
        usable |= rest
        chosen = {question_key(r): r for r in [*drawn, *more]}
        drawn = _shuffled(chosen, seed)  # mixed again: else the unflagged ones would all be sealed
    if len(drawn) == needed:
        train = without(records, drawn)
        if train:
            return _cut(drawn, train, search, judge, removed=len(records) - needed - len(train), duplicates=0)
    raise DataError(
        f"too few records to hold questions out: {needed} questions are needed (search {search} + judge {judge} + "
        f"sealed {sealed}) besides something to train on, and {len(usable)} of {len(records)} records are usable "
        "(not flagged low-quality, with a question and an answer, each question once)"
        f"{_room(usable, fits)}; {_REMEDY}, or give data.evaluation"
    )


def _first(n: int, questions: dict[str, Record], seed: int, fits: Callable[[Record], bool]) -> list[Record]:
    return list(itertools.islice(filter(fits, _shuffled(questions, seed)), n))


def _room(questions: dict[str, Record], fits: Callable[[Record], bool]) -> str:
    long = sum(not fits(r) for r in questions.values())
    return f", less {long} that leave no room for an answer within training.max_length" if long else ""


def _is_complete(record: Record) -> bool:
    # An answer has a question before it: where the assistant only opens the conversation, it answers nothing.
    asked = any(m.role == "user" and m.content.strip() for m in record.before_answer)
    return asked and bool(record.question.strip() and record.answer.strip())


def _distinct(records: Iterable[Record]) -> dict[str, Record]:
    """One record of each question; of several the one with the least digest, whatever their order."""
    found: dict[str, Record] = {}
    for record in records:
        key = question_key(record)
        found[key] = min(found[key], record, key=conversation_digest) if key in found else record
    return found


def _shuffled(questions: dict[str, Record], seed: int) -> list[Record]:
    """Ordered by a seeded digest of the question, so that the draw survives reordered and added rows."""
    ranked = sorted(questions, key=lambda key: sha256_bytes(f"{seed}:{key}".encode("utf-8", "surrogatepass")))
    return [questions[key] for key in ranked]


def _cut(
    drawn: list[Record], train: list[Record], search: int, judge: int, *, removed: int, duplicates: int
) -> Splits:
    return Splits(
        train=train,
        search=drawn[:search],
        judge=drawn[search : search + judge],
        sealed=drawn[search + judge :],
        removed=removed,
        duplicates=duplicates,
    )
