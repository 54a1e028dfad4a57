"""What an operator is, and the accounting that every operator gets for free."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from operators.data.records import Record
from operators.errors import ConfigError
from operators.strategist.space import Team

if TYPE_CHECKING:
    from operators.llm.client import LLMClient
    from operators.precision import Precision


class Params(BaseModel):
    """Base of all operator parameters: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


P = TypeVar("P", bound=Params)


@dataclass
class Context:
    """What an operator may use besides the records. Nothing here is read unless an operator asks for it."""

    seed: int = 0
    target_model: str = "smollm2-135m-instruct"
    """Name or path of the model that will be fine-tuned; see `operators.models.local_path`."""
    embedder: str = "all-minilm-l6-v2"
    """Name or path of the embedding model; see `operators.embedding.embed`."""
    llm: LLMClient | None = None
    """Client of the private rewriter endpoint; None where none is configured."""
    development: Sequence[Record] = ()
    """The search split: what selection may aim at. Never judging or sealed questions."""
    held_out: Sequence[Record] = ()
    """Every evaluation record of all splits, for exclusion (decontamination) only."""
    task: str = ""
    """The owner's description of what the model is for."""
    precision: Precision | Literal["auto"] = "auto"
    """In which to load the target model, so that what it says is the same on another machine."""
    progress: Callable[[str, int, int], None] = field(default=lambda _label, _done, _total: None)
    """Called as progress(label, done, total)."""


class OperatorReport(BaseModel):
    """What one operator did to one data set, in counts. Holds no text of any record."""

    operator: str
    version: int
    rows_in: int
    rows_out: int
    changed: int
    dropped: int
    added: int
    seconds: float
    counts: dict[str, int] = {}
    """The operator's own counters, for example {"rewrite_rejected": 3}."""


class Operator(ABC, Generic[P]):
    """One processing step.

    A subclass names itself, its team and version, its parameters, and implements `apply`. Raise `version`
    whenever the output for the same input may change: it is part of every cache key.
    """

    name: ClassVar[str]
    team: ClassVar[Team]
    version: ClassVar[int] = 1
    params_type: ClassVar[type[Params]] = Params
    flagged_only: ClassVar[bool] = False
    """True where only low-quality records (flag True or None) may be touched."""
    rowwise: ClassVar[bool] = False
    """True where what becomes of a record depends on that record and the context alone, never on other records or
    on its id: a large set is then processed in parts."""
    needs_llm: ClassVar[bool] = False
    needs_model: ClassVar[bool] = False
    """True where the target model is loaded: the job then asks for the training resources."""

    def __init__(self, params: dict[str, Any] | P | None = None) -> None:
        if isinstance(params, Params):
            params = params.model_dump()
        try:
            self.params: P = self.params_type.model_validate(params or {})  # type: ignore[assignment]
        except ValidationError as e:
            wrong = "; ".join(f"{'.'.join(map(str, x['loc']))}: {x['msg']}" for x in e.errors())
            raise ConfigError(f"operator {self.name}: {wrong}") from None
        self.counts: dict[str, int] = {}

    @abstractmethod
    def apply(self, records: list[Record], context: Context) -> list[Record]:
        """The processed records. Must not modify its input; keeps the ids of records it keeps."""

    def judges_alone(self) -> bool:
        """`rowwise`, for an operator where that depends on the parameters."""
        return self.rowwise

    def count(self, what: str, n: int = 1) -> None:
        """Adds to a counter of the report."""
        self.counts[what] = self.counts.get(what, 0) + n

    @cached_property
    def spec(self) -> OperatorSpec:
        """What identifies this operator's output: name, version, parameters."""
        return OperatorSpec(name=self.name, version=self.version, params=self.params.model_dump(mode="json"))

    def run(self, records: list[Record], context: Context) -> tuple[list[Record], OperatorReport]:
        """Applies the operator and accounts for every row by its id. Raises ValueError where the operator
        returns an id twice."""
        self.counts = {}
        start = time.perf_counter()
        result = self.apply(list(records), context)
        before = {r.id: r for r in records}
        after = {r.id: r for r in result}
        if len(after) != len(result):
            raise ValueError(f"operator {self.name} returned a record id twice")
        kept = before.keys() & after.keys()
        return result, OperatorReport(
            operator=self.name,
            version=self.version,
            rows_in=len(records),
            rows_out=len(result),
            changed=sum(before[i].messages != after[i].messages for i in kept),
            dropped=len(before) - len(kept),
            added=len(after) - len(kept),
            seconds=round(time.perf_counter() - start, 3),
            counts=dict(self.counts),
        )


class OperatorSpec(BaseModel):
    """An operator by name and full parameters, as stored in a recipe and in cache keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    version: int
    params: dict[str, Any]


def to_process(record: Record) -> bool:
    """Whether an operator that honours the quality flag should touch this record: flagged, or undecided."""
    return record.flagged is not False


def map_contents(records: list[Record], change: Callable[[str], str]) -> list[Record]:
    """Applies `change` to every turn's content; records it leaves alone are returned as the same object."""
    return [r.with_contents([change(m.content) for m in r.messages]) for r in records]
