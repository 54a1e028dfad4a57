"""Where and with what a run works. Never part of a cache key: the same content gives the same result anywhere."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from operators.config import Cluster, Endpoint, SearchConfig


class Runtime(BaseModel):
    """The places and servers of one run, as the tasks need them."""

    model_config = ConfigDict(frozen=True)
    store: str
    cluster: Cluster = Cluster()
    rewriter: Endpoint | None = None
    judge: Endpoint | None = None
    strategist: Endpoint | None = None
    token_limit: int | None = None
    """LLM tokens left to this run."""
    model_cpus: float = 1
    model_gpus: float = 0
    """What Ray gives an operator that loads the target model: as much as a training gets."""

    @classmethod
    def of(cls, config: SearchConfig) -> Runtime:
        """The runtime of a search."""
        return cls(
            store=config.store,
            cluster=config.cluster,
            rewriter=config.endpoints.rewriter,
            judge=config.endpoints.judge,
            strategist=config.endpoints.strategist,
            token_limit=config.budget.tokens,
            model_cpus=config.training.num_cpus,
            model_gpus=config.training.num_gpus,
        )
