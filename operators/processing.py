"""One team applied to one stored data set: the unit of work that is cached and reused."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from operators.data.store import DatasetRef, Store
from operators.llm.connection import Connection
from operators.precision import Precision
from operators.results import LLMUsage, TeamRun
from operators.strategist.space import Team
from operators.teams.base import Context, OperatorSpec
from operators.teams.registry import rebuild

if TYPE_CHECKING:
    from operators.llm.client import LLMClient

Progress = Callable[[str, int, int], None]


class TeamContext(BaseModel):
    """Everything besides the input and the operators that a team's output depends on."""

    model_config = ConfigDict(frozen=True)
    seed: int
    target_model: str
    target_model_sha256: str
    embedder: str
    embedder_sha256: str
    development: DatasetRef | None = None
    held_out: DatasetRef | None = None
    task: str = ""
    precision: Precision | None = None
    """In which the target model is loaded; None: the worker's own, which another machine may not share."""

    def content(self, *, needs_model: bool = True) -> dict[str, object]:
        """Its part of a cache key: models by their weights instead of their paths. The precision matters only to
        teams that load the target model."""
        return self.model_dump(
            mode="json", exclude={"target_model", "embedder", *([] if needs_model else ["precision"])}
        )


def opened(
    context: TeamContext,
    store: Store,
    client: LLMClient | None = None,
    progress: Progress = lambda _label, _done, _total: None,
) -> Context:
    """What operators get to see: the context with its records read from the store."""
    return Context(
        seed=context.seed,
        target_model=context.target_model,
        embedder=context.embedder,
        llm=client,
        development=store.get_records(context.development) if context.development else (),
        held_out=store.get_records(context.held_out) if context.held_out else (),
        task=context.task,
        precision=context.precision or "auto",
        progress=progress,
    )


def run_team(
    team: Team,
    specs: Sequence[OperatorSpec],
    source: DatasetRef,
    context: TeamContext,
    store_root: str,
    rewriter: Connection | None,
    *,
    progress: Progress = lambda _label, _done, _total: None,
) -> TeamRun:
    """Runs the team's operators one after the other and stores the result."""
    start = time.perf_counter()
    store = Store(store_root)
    client = rewriter.client("rewriter") if rewriter else None
    ctx = opened(context, store, client, progress)
    records = store.get_records(source)
    reports = []
    for operator in rebuild(specs):
        progress(operator.name, 0, len(records))
        records, report = operator.run(records, ctx)
        reports.append(report)
    return TeamRun(
        team=team,
        source=source,
        dataset=store.put_records(records),
        reports=reports,
        usage=client.usage if client else LLMUsage(),
        seconds=round(time.perf_counter() - start, 3),
    )
