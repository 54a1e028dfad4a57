"""Exhaustive search: every strategy in a fixed order, short ones first."""

from __future__ import annotations

from operators.strategist.base import Proposal, Strategist, refuse_repeats
from operators.strategist.view import AgentView


class ExhaustiveStrategist(Strategist):
    """Takes the next untried strategies of the fixed order. Short ones come first, so that the prefixes of a
    strategy are in the store when it is tried."""

    source = "exhaustive"

    def propose(self, view: AgentView, k: int) -> Proposal:
        proposal = Proposal(
            strategies=tuple(view.untried[: max(k, 0)]),
            source=self.source,
            reasoning="The next strategies in the fixed order.",
        )
        return refuse_repeats(proposal, view, k)
