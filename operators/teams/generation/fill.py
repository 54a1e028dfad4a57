"""What the two filling operators share: find the empty turn, ask, check, fill in."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field

from operators.data.records import Record
from operators.llm.ask import ask, rewriter
from operators.llm.checks import copies, has_residue, repetitiveness, script_overlap, token_count
from operators.llm.messages import Request
from operators.llm.prompts import data_block, strings, system_prompt, token_bound
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params
from operators.teams.generation.examples import as_answer, example_pool, pick
from operators.teams.generation.novelty import overlaps


class FillParams(Params):
    """Parameters of `fill_question` and `fill_answer`."""

    examples: int = Field(3, ge=0, le=8, description="Complete records shown as examples of style")
    max_tokens: int = Field(160, ge=16, le=2048, description="Length of what is written, in tokens at most")
    min_words: int = Field(3, ge=1, le=100, description="Fewer words (characters in Chinese etc.) are rejected")
    max_input_tokens: int = Field(1000, ge=64, description="Records longer than this (estimated) are left as is")
    duplicate_threshold: float = Field(0.7, gt=0, le=1, description="Jaccard similarity of 5-grams")
    unfilled: Literal["keep", "drop"] = Field("keep", description="What happens to records it could not fill")


class Gap(NamedTuple):
    """An empty turn: the record's place in the set, and the turn's place in the record."""

    record: int
    turn: int


class Fill(Operator[FillParams]):
    """Writes one missing turn of each record that lacks it. All records count, whatever their quality flag: a
    turn is missing or it is not."""

    team = Team.GENERATION
    needs_llm = True
    params_type = FillParams
    wanted: ClassVar[Literal["question", "answer"]]
    system: ClassVar[str]
    instruction: ClassVar[str]

    @staticmethod
    @abstractmethod
    def gap(record: Record) -> int | None:
        """Place of the turn to write, or None where nothing is missing or nothing is there to write it from."""

    @abstractmethod
    def context_turns(self, record: Record, turn: int) -> list[tuple[str, str]]:
        """The labelled texts the missing turn is written from."""

    def apply(self, records: list[Record], context: Context) -> list[Record]:
        """The records with the missing turns filled in; marks them in `meta["generated_by"]`."""
        rewriter(self, context)
        gaps = self._gaps(records)
        requests = self._requests(records, gaps, context)
        answers = ask(self, context, requests)
        candidates: dict[int, Record] = {}
        for gap, given in zip(gaps, answers, strict=True):
            if given.parsed is None:
                continue  # counted by `ask`
            text = given.parsed[self.wanted].strip()
            record = records[gap.record]
            if reason := self._problem(text, record, gap.turn):
                self.count(f"rejected_{reason}")
            else:
                candidates[gap.record] = self._filled(record, gap.turn, text)
        filled = self._novel(candidates, records, context)
        self.count("filled", len(filled))
        missing = {g.record for g in gaps} - filled.keys() if self.params.unfilled == "drop" else set()
        return [filled.get(i, r) for i, r in enumerate(records) if i not in missing]

    def _gaps(self, records: Sequence[Record]) -> list[Gap]:
        gaps = []
        for i, record in enumerate(records):
            turn = self.gap(record)
            if turn is None:
                continue
            size = sum(token_bound(text) for _, text in self.context_turns(record, turn))
            if size > self.params.max_input_tokens:
                self.count("skipped_long")
            else:
                gaps.append(Gap(i, turn))
        return gaps

    def _requests(self, records: Sequence[Record], gaps: Sequence[Gap], context: Context) -> list[Request]:
        # The same examples for all, ahead of what differs: the server reads the common prefix once.
        pool = pick(example_pool(records), self.params.examples, context.seed, self.name)
        source: Literal["question", "answer"] = "answer" if self.wanted == "question" else "question"
        shown = tuple((self._ask([(source, getattr(r, source))]), as_answer(r, self.wanted)) for r in pool)
        return [
            Request(
                system=system_prompt(self.system, context.task),
                prompt=self._ask(self.context_turns(records[g.record], g.turn)),
                examples=shown,
                max_tokens=self.params.max_tokens,
                schema=strings(self.wanted),
            )
            for g in gaps
        ]

    def _ask(self, turns: Sequence[tuple[str, str]]) -> str:
        return f"{data_block(turns)}\n{self.instruction}"

    def _problem(self, text: str, record: Record, turn: int) -> str | None:
        sources = [m.content for m in record.messages if m.content.strip()]
        if not text:
            return "empty"
        if token_count(text) < self.params.min_words:
            return "too_short"
        if has_residue(text):
            return "prompt_residue"
        if repetitiveness(text) > 0.4:
            return "repetitive"
        if copies(text, sources):
            return "copies_prompt"
        if script_overlap(text, " ".join(t for _, t in self.context_turns(record, turn))) < 0.5:
            return "script"
        return None

    def _filled(self, record: Record, turn: int, text: str) -> Record:
        contents = [text if i == turn else m.content for i, m in enumerate(record.messages)]
        return replace(record.with_contents(contents), meta={**record.meta, "generated_by": self.name})

    def _novel(
        self, candidates: dict[int, Record], records: Sequence[Record], context: Context
    ) -> dict[int, Record]:
        others = [r for i, r in enumerate(records) if i not in candidates]
        why = overlaps(
            list(candidates.values()),
            others,
            context.held_out,
            self.params.duplicate_threshold,
            new_questions=self.wanted == "question",
        )
        for reason in filter(None, why):
            self.count(f"rejected_{reason}")
        return {i: r for (i, r), reason in zip(candidates.items(), why, strict=True) if reason is None}
