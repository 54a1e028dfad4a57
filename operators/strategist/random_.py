"""Random search: every untried strategy is equally likely."""

from __future__ import annotations

from operators.digest import digest
from operators.strategist.base import Proposal, Strategist, refuse_repeats
from operators.strategist.view import AgentView


class RandomStrategist(Strategist):
    """Draws without replacement."""

    source = "random"

    def propose(self, view: AgentView, k: int) -> Proposal:
        # Sorting by a digest is a shuffle that no library version can change.
        seed = self._round_seed(view)
        drawn = sorted(view.untried, key=lambda s: digest(seed, list(s)))[: max(k, 0)]
        proposal = Proposal(strategies=tuple(drawn), source=self.source, reasoning="Drawn at random.")
        return refuse_repeats(proposal, view, k)
