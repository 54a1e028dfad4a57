"""New question/answer pairs for small sets."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from operators.data.records import Message, Record
from operators.digest import digest
from operators.llm.ask import ask_each, rewriter
from operators.llm.checks import copies, distinct_tokens, has_residue, repetitiveness, script_overlap
from operators.llm.messages import Answer, Request
from operators.llm.prompts import strings, system_prompt
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params
from operators.teams.generation.examples import as_answer, example_pool, pick
from operators.teams.generation.novelty import overlaps

SYSTEM = "You write new question and answer pairs in the style of the examples: correct, safe, concise."
INSTRUCTION = "Write one new pair about a different subject of the same field, in the same language and style."


class NewPairsParams(Params):
    """Parameters of `new_pairs`."""

    max_rows: int = Field(1000, ge=0, description="Larger sets are left as they are")
    count: int = Field(16, ge=1, le=10_000, description="Pairs asked for; fewer are added where checks fail")
    examples: int = Field(4, ge=1, le=8, description="Records shown for each new pair, drawn anew each time")
    max_tokens: int = Field(224, ge=32, le=2048, description="Length of a pair in tokens at most")
    min_words: int = Field(3, ge=1, le=100, description="Fewer different words in question or answer are rejected")
    duplicate_threshold: float = Field(0.7, gt=0, le=1, description="Jaccard similarity of 5-grams")


class NewPairs(Operator[NewPairsParams]):
    """Adds pairs in the style of sampled records to sets of at most `max_rows`. Existing records are not
    touched; new ones carry `meta["generated_by"]` and an id that depends on their text alone.

    The examples shown are clean records, where the set has any. A pair is dropped, and counted by reason, where it
    does not fit the schema, repeats itself, its examples, the set or an evaluation question, or holds a piece of
    the prompt.
    """

    name = "new_pairs"
    team = Team.GENERATION
    version = 3
    needs_llm = True
    params_type = NewPairsParams

    def apply(self, records: list[Record], context: Context) -> list[Record]:
        """The records, followed by the new pairs that pass every check."""
        rewriter(self, context)
        pool = example_pool(records)
        if len(records) > self.params.max_rows:
            self.count("skipped_large_set")
            return records
        if not pool:
            self.count("skipped_no_examples")
            return records
        draws = [pick(pool, self.params.examples, context.seed, self.name, i) for i in range(self.params.count)]
        requests = (self._request(shown, context) for shown in draws)
        answers = ask_each(self, context, requests, len(draws))
        candidates = []
        ids = {r.id for r in records}
        for shown, given in zip(draws, answers, strict=True):
            if given.parsed is None:
                continue  # counted by `ask_each`
            if reason := self._problem(given, shown):
                self.count(f"rejected_{reason}")
            elif (record := self._record(given, shown)).id in ids:
                self.count("rejected_duplicate")  # of a pair written before, which was changed since
            else:
                candidates.append(record)
        questions = [c.question for c in candidates]
        why = overlaps(candidates, records, context.held_out, self.params.duplicate_threshold, questions=questions)
        for reason in filter(None, why):
            self.count(f"rejected_{reason}")
        return [*records, *(c for c, reason in zip(candidates, why, strict=True) if reason is None)]

    def _request(self, shown: Sequence[Record], context: Context) -> Request:
        return Request(
            system=system_prompt(SYSTEM, context.task),
            examples=tuple((INSTRUCTION, as_answer(r, "question", "answer")) for r in shown),
            prompt=INSTRUCTION,
            max_tokens=self.params.max_tokens,
            schema=strings("question", "answer"),
        )

    def _problem(self, given: Answer, shown: Sequence[Record]) -> str | None:
        question, answer = _pair(given)
        both = f"{question}\n{answer}"
        if not question or not answer:
            return "empty"
        if min(distinct_tokens(question), distinct_tokens(answer)) < self.params.min_words:
            return "too_short"
        if has_residue(question) or has_residue(answer):
            return "prompt_residue"
        if repetitiveness(answer) > 0.4:
            return "repetitive"
        if copies(answer, [question]):
            return "echo"
        if any(copies(answer, [r.answer]) or copies(question, [r.question]) for r in shown):
            return "copies_prompt"
        if script_overlap(both, " ".join(r.text for r in shown)) < 0.5:
            return "script"
        return None

    def _record(self, given: Answer, shown: Sequence[Record]) -> Record:
        question, answer = _pair(given)
        turns = [Message("user", question), Message("assistant", answer)]
        # A system turn that all examples share belongs to the set's style.
        first = {r.messages[0] for r in shown if r.messages}
        if len(first) == 1 and (system := first.pop()).role == "system":
            turns.insert(0, system)
        name = f"{self.name}-{digest(self.name, question, answer)[:16]}"
        return Record(id=name, messages=tuple(turns), meta={"generated_by": self.name})


def _pair(given: Answer) -> tuple[str, str]:
    parsed = given.parsed or {}
    return parsed["question"].strip(), parsed["answer"].strip()
