"""How a worker reaches a private model: the endpoint, where it answers, and what it may cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from operators.config import Cluster, Endpoint

if TYPE_CHECKING:
    from operators.llm.client import LLMClient


class Connection(BaseModel):
    """Everything a client is made of; unlike one, it travels as a task's argument."""

    model_config = ConfigDict(frozen=True)
    endpoint: Endpoint
    base_url: str
    identity: str | None = None
    """Names the weights in cache keys."""
    cache: str | None = None
    """Directory of the request cache."""
    token_limit: int | None = None
    """LLM tokens that may be spent: by the run of that name where `ledger` names one, else by each client."""
    ledger: str | None = None

    def client(self, role: str) -> LLMClient:
        """A client that counts its usage from zero; `role` appears in its errors."""
        from operators.jobs import SharedLedger
        from operators.llm.cache import RequestCache
        from operators.llm.client import LLMClient

        return LLMClient(
            self.endpoint,
            base_url=self.base_url,
            identity=self.identity,
            cache=RequestCache(self.cache) if self.cache else None,
            token_limit=self.token_limit,
            ledger=SharedLedger(self.ledger, Cluster()) if self.ledger else None,
            role=role,
        )
