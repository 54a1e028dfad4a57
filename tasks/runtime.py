"""Where and with what a run works. Never part of a cache key: the same content gives the same result anywhere."""

from __future__ import annotations

import uuid
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from operators.config import Cluster, Endpoint, SearchConfig, TargetEndpoint
from operators.data.containers import absolute
from operators.jobs import SharedLedger
from operators.results import LLMUsage


class Runtime(BaseModel):
    """The places and servers of one run, as the tasks need them."""

    model_config = ConfigDict(frozen=True)
    store: Annotated[str, AfterValidator(absolute)]
    """Absolute: workers run in other directories."""
    cluster: Cluster = Cluster()
    rewriter: Endpoint | None = None
    judge: Endpoint | None = None
    strategist: Endpoint | None = None
    target: TargetEndpoint | None = None
    lora_rank: int = 0
    """Of the adapters that the target endpoint is to take."""
    target_tokens: int = 0
    """Of the longest question that it is to answer, and of the answer, together."""
    token_limit: int | None = None
    """LLM tokens that this run may spend, all roles together."""
    ledger: str | None = None
    """Name under which the tokens are counted."""
    model_cpus: float = 1
    model_gpus: float = 0
    """What Ray gives an operator that loads the target model: as much as a training gets."""
    embedding_cpus: float | None = None
    """What Ray gives the embedding of a whole set, which nothing else runs beside; None as in `jobs.run`."""

    @classmethod
    def of(cls, config: SearchConfig) -> Runtime:
        """The runtime of a search."""
        return cls(
            store=config.store,
            cluster=config.cluster,
            rewriter=config.endpoints.rewriter,
            judge=config.endpoints.judge,
            strategist=config.endpoints.strategist,
            target=config.endpoints.target,
            lora_rank=config.training.lora.rank,
            target_tokens=config.training.max_length + config.judging.max_answer_tokens,
            token_limit=config.budget.tokens,
            model_cpus=config.training.num_cpus,
            model_gpus=config.training.num_gpus,
            embedding_cpus=config.embedding.num_cpus,
            ledger=uuid.uuid4().hex,
        )

    def shared_ledger(self) -> SharedLedger | None:
        """Where clients count the tokens they spend."""
        return SharedLedger(self.ledger, self.cluster) if self.ledger else None

    def count(self, usage: LLMUsage) -> None:
        """Counts what was spent without the ledger."""
        if (ledger := self.shared_ledger()) and (tokens := usage.input_tokens + usage.output_tokens):
            ledger.add(tokens)

    def without_limit(self) -> Runtime:
        """The same, for what the budget does not bound."""
        return self.model_copy(update={"token_limit": None})
