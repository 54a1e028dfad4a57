"""Operators that cost nothing, and one that fails in the worst way."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from operators.data.records import Record
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params


class Mark(Operator[Params]):
    """Writes into `meta` which teams a record went through, in order: every sequence of teams leaves a data set
    of its own, while what a model would train on stays the same."""

    def apply(self, records: list[Record], context: Context) -> list[Record]:  # noqa: ARG002
        return [replace(r, meta={**r.meta, "path": [*r.meta.get("path", []), str(self.team)]}) for r in records]


class MarkCleaning(Mark):
    """Marks."""

    name = "mark_cleaning"
    team = Team.CLEANING


class MarkGeneration(Mark):
    """Marks."""

    name = "mark_generation"
    team = Team.GENERATION


class MarkOptimization(Mark):
    """Marks."""

    name = "mark_optimization"
    team = Team.OPTIMIZATION


class HalfParams(Params):
    """Parameters of `mark_selection`."""

    keep: Literal["even", "odd"] = "even"


class MarkSelection(Operator[HalfParams]):
    """Marks, and keeps the records whose answer has an even (or odd) number of characters."""

    name = "mark_selection"
    team = Team.SELECTION
    params_type = HalfParams

    def apply(self, records: list[Record], context: Context) -> list[Record]:
        rest = 0 if self.params.keep == "even" else 1
        return Mark.apply(self, [r for r in records if len(r.answer) % 2 == rest], context)  # type: ignore[arg-type]


class QuoteAndFail(Operator[Params]):
    """Fails with a message that quotes a record, as any library may, and with a cause that quotes it too."""

    name = "quote_and_fail"
    team = Team.CLEANING

    def apply(self, records: list[Record], context: Context) -> list[Record]:  # noqa: ARG002
        try:
            raise KeyError(records[0].text)
        except KeyError as e:
            raise ValueError(f"cannot parse {records[0].text!r}") from e
