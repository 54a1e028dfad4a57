"""What the two rewriting operators share: ask for a better turn, keep the original unless all checks hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from operators.data.records import Record, Role
from operators.llm.ask import ask_each, rewriter
from operators.llm.checks import has_residue, negations, normalized, repetitiveness, script_overlap
from operators.llm.messages import Request
from operators.llm.prompts import data_block, strings, system_prompt, token_bound
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params, to_process
from operators.teams.generation.novelty import overlaps
from operators.text.number_words import number_words
from operators.text.quantities import change
from operators.text.schedules import schedule

CRITERIA = "Criteria, the most important first: accuracy, safety, fluency, concision."
"""The order of Huang et al., "LLM-AutoDP", arXiv 2601.20375."""
EMBEDDED_AT_A_TIME = 2048
WINDOW = 400
"""Characters of a part of a turn, those outside ASCII counting as four: fewer tokens than an embedding reads."""
REPEATED = 0.7
"""Jaccard similarity of 5-grams to an evaluation record, as `Generation` has it by default."""
MAX_QUESTION_CHARACTERS = 600
"""Of the question that is shown as context of an answer."""


class RewriteParams(Params):
    """Parameters of `rewrite_question` and `rewrite_answer`."""

    length_tolerance: float = Field(0.3, gt=0, le=2, description="Change of length allowed, as a share")
    numbers: Literal["exact", "kept", "any"] = Field(
        "exact",
        description="exact: the same numbers as before, with their comparators, signs and units, as often as "
        "before, in digits or words; kept: none lost; any: not checked. A changed dose is dangerous",
    )
    negation: bool = Field(
        True,
        description="Reject where a negation appears or disappears (English, Chinese, German, French, Spanish)",
    )
    min_similarity: float = Field(
        0.8, ge=-1, le=1, description="Cosine of the embeddings before and after, in every part of a long turn"
    )
    max_repetition: float = Field(0.4, ge=0, le=1, description="Share of repeated 3-grams, where it grew")
    max_input_tokens: int = Field(700, ge=32, description="Turns longer than this (estimated) are left as is")
    all_turns: bool = Field(True, description="Every turn of the role; otherwise the first question, last answer")


class Turn(NamedTuple):
    """A turn to rewrite: the record's place in the set, and the turn's place in the record."""

    record: int
    turn: int


class Rewrite(Operator[RewriteParams]):
    """Rewrites turns of low-quality records one by one. A rewrite that fails a check leaves the original turn
    in place and is counted as `rejected_<reason>`. Rewritten records list the operator in
    `meta["rewritten_by"]`, so that an auditor finds every text a model has touched."""

    team = Team.OPTIMIZATION
    version = 5
    needs_llm = True
    flagged_only = True
    params_type = RewriteParams
    role: ClassVar[Role]
    label: ClassVar[Literal["question", "answer"]]
    system: ClassVar[str]

    def apply(self, records: list[Record], context: Context) -> list[Record]:
        """The records with better turns where a better one was found."""
        rewriter(self, context)
        turns = self._turns(records)
        requests = (self._request(records[t.record], t.turn, context) for t in turns)
        answers = ask_each(self, context, requests, len(turns))
        passed: dict[Turn, str] = {}
        for turn, given in zip(turns, answers, strict=True):
            if given.parsed is None:
                continue  # counted by `ask_each`
            before = records[turn.record].messages[turn.turn].content
            after = given.parsed[self.label].strip()
            if normalized(after) == normalized(before):
                self.count("unchanged")
            elif reason := self._problem(before, after):
                self.count(f"rejected_{reason}")
            else:
                passed[turn] = after
        kept = self._similar(passed, records, context)
        contents: dict[int, list[str]] = {}
        for turn, text in kept.items():
            row = contents.setdefault(turn.record, [m.content for m in records[turn.record].messages])
            row[turn.turn] = text
        made = {i: self._rewritten(records[i], row) for i, row in contents.items()}
        leaked = self._leaked(made, context)
        self.count("rewritten_turns", sum(turn.record not in leaked for turn in kept))
        return [r if i in leaked else made.get(i, r) for i, r in enumerate(records)]

    def _leaked(self, made: dict[int, Record], context: Context) -> set[int]:
        """Those that now repeat an evaluation record, as a noisy copy of one does once its noise is gone."""
        if not made or not context.held_out:
            return set()
        unasked = [""] * len(made)
        why = overlaps(list(made.values()), [], context.held_out, REPEATED, questions=unasked)
        found = {i for i, reason in zip(made, why, strict=True) if reason == "evaluation"}
        if found:
            self.count("rejected_evaluation", len(found))
        return found

    def _turns(self, records: Sequence[Record]) -> list[Turn]:
        found = []
        for i, record in enumerate(records):
            if not to_process(record):
                continue
            places = [j for j, m in enumerate(record.messages) if m.role == self.role and m.content.strip()]
            if not self.params.all_turns:
                places = places[:1] if self.role == "user" else places[-1:]
            for j in places:
                if token_bound(record.messages[j].content) > self.params.max_input_tokens:
                    self.count("skipped_long")
                else:
                    found.append(Turn(i, j))
        return found

    def _request(self, record: Record, turn: int, context: Context) -> Request:
        text = record.messages[turn].content
        parts = [(self.label, text)]
        if self.role == "assistant" and turn and record.messages[turn - 1].role == "user":
            parts.insert(0, ("question", record.messages[turn - 1].content[:MAX_QUESTION_CHARACTERS]))
        return Request(
            system=system_prompt(self.system, CRITERIA, context.task),
            prompt=f"{data_block(parts)}\nWrite the improved {self.label}.",
            # What is longer would be rejected anyway, and an endless answer holds up the others.
            max_tokens=token_bound(text, 1 + self.params.length_tolerance),
            schema=strings(self.label),
        )

    def _problem(self, before: str, after: str) -> str | None:
        ratio = len(after) / len(before.strip())
        if not after:
            return "empty"
        if abs(ratio - 1) > self.params.length_tolerance:
            return "length"
        if has_residue(after, before):
            return "prompt_residue"
        if repetitiveness(after) > max(self.params.max_repetition, repetitiveness(before)):
            return "repetitive"
        if script_overlap(before, after) < 0.6:
            return "script"
        if self.params.negation and negations(before) != negations(after):
            return "negation"
        numbers = change(before, after)
        if (numbers.lost or numbers.swapped) and self.params.numbers != "any":
            return "numbers"
        if self.params.numbers != "any" and not schedule(before).agrees(schedule(after)):
            return "schedule"
        said, says = number_words(before), number_words(after)
        if said - says and self.params.numbers != "any":
            return "numbers"
        if (numbers.added or says - said) and self.params.numbers == "exact":
            return "numbers"
        return None

    def _similar(self, passed: dict[Turn, str], records: Sequence[Record], context: Context) -> dict[Turn, str]:
        """Those whose embeddings stay near: every part of either side is near some part of the other."""
        if not passed:
            return {}
        from operators.embedding import embed

        kept: dict[Turn, str] = {}
        pairs = list(passed.items())
        for start in range(0, len(pairs), EMBEDDED_AT_A_TIME):
            part = pairs[start : start + EMBEDDED_AT_A_TIME]
            texts = [windows(text) for t, s in part for text in (records[t.record].messages[t.turn].content, s)]
            vectors = iter(embed([w for text in texts for w in text], context.embedder))
            sides = [np.array([next(vectors) for _ in text]) for text in texts]
            for (turn, text), before, after in zip(part, sides[::2], sides[1::2], strict=True):
                cosine = before @ after.T
                if min(cosine.max(axis=0).min(), cosine.max(axis=1).min()) >= self.params.min_similarity:
                    kept[turn] = text
            context.progress(f"{self.name}: similarity", start + len(part), len(pairs))
        if len(passed) > len(kept):
            self.count("rejected_similarity", len(passed) - len(kept))
        return kept

    def _rewritten(self, record: Record, contents: Sequence[str]) -> Record:
        marks = [*_marks(record.meta.get("rewritten_by")), self.name]
        return replace(record.with_contents(contents), meta={**record.meta, "rewritten_by": marks})


def windows(text: str) -> list[str]:
    """The text in parts that an embedding reads as a whole, each overlapping the next by half; a short text is
    one part."""
    weights = np.cumsum([1 if c.isascii() else 4 for c in text]) if text else np.zeros(1)
    if weights[-1] <= WINDOW:
        return [text]
    count = int(np.ceil((weights[-1] - WINDOW) / (WINDOW / 2))) + 1
    starts = np.linspace(0, weights[-1] - WINDOW, count)
    places = np.searchsorted(weights, np.array([starts, starts + WINDOW]), "right")
    return [text[a:b] for a, b in places.T.tolist()]


def _marks(value: Any) -> list[Any]:
    """Who rewrote the record before, as its file has it: a list, its JSON text in a CSV, or nothing."""
    if isinstance(value, list):
        return value
    if not isinstance(value, str) or not value.strip():
        return []
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return [value]
    return found if isinstance(found, list) else [value]
