"""What the two filling operators share: find the empty turn, ask, check, fill in."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field

from operators.data.records import Record
from operators.llm.ask import ask_each, rewriter
from operators.llm.checks import copies, distinct_tokens, has_residue, repetitiveness, script_overlap
from operators.llm.messages import Request
from operators.llm.prompts import data_block, strings, system_prompt, token_bound
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params
from operators.teams.generation.examples import as_answer, example_pool, pick
from operators.teams.generation.novelty import overlaps

Examples = tuple[tuple[str, str], ...]


class FillParams(Params):
    """Parameters of `fill_question` and `fill_answer`."""

    examples: int = Field(3, ge=0, le=8, description="Complete records shown as examples of style")
    max_tokens: int = Field(160, ge=16, le=2048, description="Length of what is written, in tokens at most")
    min_words: int = Field(3, ge=1, le=100, description="Fewer different words (Chinese: characters) are rejected")
    max_input_tokens: int = Field(1000, ge=64, description="Records longer than this (estimated) are left as is")
    duplicate_threshold: float = Field(0.7, gt=0, le=1, description="Jaccard similarity of 5-grams")
    unfilled: Literal["keep", "drop"] = Field("keep", description="What happens to records it could not fill")


class Gap(NamedTuple):
    """An empty turn: the record's place in the set, and the turn's place in the record."""

    record: int
    turn: int


class Fill(Operator[FillParams]):
    """Writes the missing turns of each record that lacks some, one after the other. All records count, whatever
    their quality flag: a turn is missing or it is not."""

    team = Team.GENERATION
    version = 3
    needs_llm = True
    params_type = FillParams
    wanted: ClassVar[Literal["question", "answer"]]
    system: ClassVar[str]
    instruction: ClassVar[str]

    @staticmethod
    @abstractmethod
    def gap(record: Record) -> int | None:
        """Place of the first turn to write, or None where nothing is missing or nothing is there to write it
        from."""

    @abstractmethod
    def context_turns(self, record: Record, turn: int) -> list[tuple[str, str]]:
        """The labelled texts the missing turn is written from."""

    def apply(self, records: list[Record], context: Context) -> list[Record]:
        """The records with the missing turns filled in; marks them in `meta["generated_by"]`."""
        rewriter(self, context)
        # The same examples for all, ahead of what differs: the server reads the common prefix once.
        shown = self._examples(records, context)
        result = list(records)
        unfilled: set[int] = set()
        incomplete = [i for i, r in enumerate(records) if self.gap(r) is not None]
        while incomplete:  # once, and again for conversations that lack another turn
            gaps = self._gaps(result, incomplete)
            filled = self._novel(self._written(result, gaps, shown, context), result, gaps, context)
            unfilled |= set(incomplete) - filled.keys()
            for i, record in filled.items():
                result[i] = record
            self.count("filled", len(filled))
            incomplete = [i for i, r in filled.items() if self.gap(r) is not None]
        self.count("filled", 0)
        dropped = unfilled if self.params.unfilled == "drop" else set()
        return [r for i, r in enumerate(result) if i not in dropped]

    def _gaps(self, records: Sequence[Record], incomplete: Sequence[int]) -> list[Gap]:
        gaps = []
        for i in incomplete:
            turn = self.gap(records[i])
            assert turn is not None, "only records with a gap are incomplete"
            size = sum(token_bound(text) for _, text in self.context_turns(records[i], turn))
            if size > self.params.max_input_tokens:
                self.count("skipped_long")
            else:
                gaps.append(Gap(i, turn))
        return gaps

    def _written(
        self, records: Sequence[Record], gaps: Sequence[Gap], shown: Examples, context: Context
    ) -> dict[int, Record]:
        """The records whose gap the model filled with something that passes the checks."""
        answers = ask_each(self, context, self._requests(records, gaps, shown, context), len(gaps))
        parroted = [json.loads(said)[self.wanted] for _, said in shown]
        written: dict[int, Record] = {}
        for gap, given in zip(gaps, answers, strict=True):
            if given.parsed is None:
                continue  # counted by `ask_each`
            text = given.parsed[self.wanted].strip()
            record = records[gap.record]
            if reason := self._problem(text, record, gap.turn, parroted):
                self.count(f"rejected_{reason}")
            else:
                written[gap.record] = self._filled(record, gap.turn, text)
        return written

    def _examples(self, records: Sequence[Record], context: Context) -> Examples:
        pool = pick(example_pool(records), self.params.examples, context.seed, self.name)
        source: Literal["question", "answer"] = "answer" if self.wanted == "question" else "question"
        return tuple((self._ask([(source, getattr(r, source))]), as_answer(r, self.wanted)) for r in pool)

    def _requests(
        self, records: Sequence[Record], gaps: Sequence[Gap], shown: Examples, context: Context
    ) -> Iterator[Request]:
        system, schema = system_prompt(self.system, context.task), strings(self.wanted)
        for gap in gaps:
            yield Request(
                system=system,
                prompt=self._ask(self.context_turns(records[gap.record], gap.turn)),
                examples=shown,
                max_tokens=self.params.max_tokens,
                schema=schema,
            )

    def _ask(self, turns: Sequence[tuple[str, str]]) -> str:
        return f"{data_block(turns)}\n{self.instruction}"

    def _problem(self, text: str, record: Record, turn: int, parroted: Sequence[str]) -> str | None:
        sources = [*(m.content for m in record.messages if m.content.strip()), *parroted]
        if not text:
            return "empty"
        if distinct_tokens(text) < self.params.min_words:
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
        self, written: dict[int, Record], records: Sequence[Record], gaps: Sequence[Gap], context: Context
    ) -> dict[int, Record]:
        """Those that repeat neither the set nor an evaluation record."""
        place = {g.record: g.turn for g in gaps}
        opening = {i: next(j for j, m in enumerate(r.messages) if m.role == "user") for i, r in written.items()}
        why = overlaps(
            list(written.values()),
            [r for i, r in enumerate(records) if i not in written],
            context.held_out,
            self.params.duplicate_threshold,
            questions=[r.question if place[i] == opening[i] else "" for i, r in written.items()],
        )
        for reason in filter(None, why):
            self.count(f"rejected_{reason}")
        return {i: r for (i, r), reason in zip(written.items(), why, strict=True) if reason is None}
