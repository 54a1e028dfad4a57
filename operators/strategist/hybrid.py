"""The LLM's proposals, weighed by the surrogate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.strategist.base import Proposal, Strategist, refuse_repeats
from operators.strategist.claude import ClaudeStrategist
from operators.strategist.posterior import Prior, posterior
from operators.strategist.space import Strategy
from operators.strategist.surrogate import batch, conclusion, expected_best, opening
from operators.strategist.view import AgentView

if TYPE_CHECKING:
    from operators.llm.client import LLMClient

VOTE = 0.05
"""By how much a strategy is expected to score more because the LLM proposes it."""


class HybridStrategist(Strategist):
    """Asks the LLM as `ClaudeStrategist` does, and takes its proposals as prior knowledge of the surrogate: the
    LLM knows what the teams do, the surrogate what a score is worth.

    The batch and the end of the search are decided by expected improvement: an LLM that cannot be reached, or
    answers nothing usable, costs nothing but its vote.
    """

    source = "hybrid"

    def __init__(
        self, llm: LLMClient, *, max_tokens: int = 1024, seed: int = 0, prior: Prior | None = None
    ) -> None:
        super().__init__(seed)
        self.prior = prior or Prior()
        self.agent = ClaudeStrategist(llm, max_tokens=max_tokens, seed=seed)

    def propose(self, view: AgentView, k: int) -> Proposal:
        if k < 1 or not view.untried:
            return refuse_repeats(Proposal(source=self.source), view, k, best=self.recommend)
        reading, problems, transcript = self.agent.ask(view, k)
        model = posterior(view, self.prior, favoured=dict.fromkeys(reading.strategies, VOTE))
        chosen, gain = batch(model, view, k, self._round_seed(view))
        if not view.history:
            chosen = opening(view, chosen, k, named=reading.strategies)
        proposal = conclusion(model, view, gain, self.source) or Proposal(
            strategies=tuple(chosen), source=self.source, reasoning=reading.reasoning
        )
        return proposal.model_copy(update={"fallbacks": problems, "transcript": transcript})

    def recommend(self, view: AgentView) -> Strategy:
        """As the surrogate does: a vote is no evidence."""
        return expected_best(posterior(view, self.prior), view)
