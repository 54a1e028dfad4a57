"""Asking the strategist. It receives an AgentView, and nothing else."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from operators.config import SearchConfig
from operators.errors import EndpointError
from operators.results import LLMUsage
from operators.strategist.base import Proposal, refuse_repeats
from operators.strategist.factory import build_explorer, build_strategist
from operators.strategist.view import AgentView
from tasks.durable import durable
from tasks.processing import base_url, model_identity, request_cache


class Proposed(BaseModel):
    """A proposal and what it cost."""

    model_config = ConfigDict(frozen=True)
    proposal: Proposal
    usage: LLMUsage = LLMUsage()


def _content(view: AgentView, k: int, config: SearchConfig) -> list[object]:
    # Time and tokens left differ from run to run; a repeated search must still find its proposals.
    steady = view.remaining.model_copy(update={"minutes": None, "tokens": None})
    endpoint = config.endpoints.strategist
    return [
        view.model_copy(update={"remaining": steady}),
        k,
        config.strategist_kind,
        config.strategist.max_tokens,
        model_identity(endpoint),
        config.seed,
    ]


@durable("propose", version="3", content=_content)
def propose(view: AgentView, k: int, config: SearchConfig) -> Proposed:
    """Up to k strategies not tried yet, or the decision to stop.

    Raises EndpointError where the strategist's model does not answer, or gave one answer that is of no use and
    then none: what is done then is no result of this task, or every later run would find it here and not ask.
    """
    endpoint = config.endpoints.strategist
    client = None
    if config.strategist_kind in ("claude", "hybrid") and endpoint is not None:
        from operators.llm.cache import RequestCache
        from operators.llm.client import LLMClient

        client = LLMClient(
            endpoint,
            base_url=base_url(endpoint),
            cache=RequestCache(request_cache()),
            token_limit=view.remaining.tokens,
            role="strategist",
        )
    proposal = build_strategist(config, client).propose(view, k)
    if "endpoint_error" in proposal.fallbacks:
        raise EndpointError("the strategist's model did not answer: see to endpoints.strategist and its key")
    return Proposed(proposal=refuse_repeats(proposal, view, k), usage=client.usage if client else LLMUsage())


@durable("explore", content=_content)
def explore(view: AgentView, k: int, config: SearchConfig) -> Proposed:
    """Up to k strategies not tried yet, without the LLM strategist, which did not answer."""
    proposal = refuse_repeats(build_explorer(config).propose(view, k), view, k)
    return Proposed(proposal=proposal.model_copy(update={"fallbacks": ("endpoint_error", *proposal.fallbacks)}))
