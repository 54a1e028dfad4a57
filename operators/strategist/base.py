"""What a strategist is, what it answers, and the rules that hold whoever proposes."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from operators.digest import digest
from operators.strategist.space import NO_PROCESSING, Strategy, Team, label
from operators.strategist.view import AgentView, Decision

logger = logging.getLogger(__name__)

Source = Literal["claude", "hybrid", "surrogate", "optuna", "random", "exhaustive"]
Fallback = Literal[
    "endpoint_error",
    "rejected",
    "refused",
    "truncated",
    "invalid_json",
    "unknown_team",
    "repeated_team",
    "empty_strategy",
    "already_tried",
    "repeated_strategy",
    "too_many",
    "nothing_new",
    "decided_too_early",
    "contradicts_scores",
    "best_not_tried",
    "topped_up",
    "space_exhausted",
]
"""Why a proposal is not exactly what its source said. Codes, not messages: they are logged and shown."""


class Exchange(BaseModel):
    """One request to a model and its answer, for the transcript that is stored with the run."""

    model_config = ConfigDict(frozen=True)
    system: str
    prompt: str
    answer: str


class Proposal(BaseModel):
    """What to try next, or how the search ends.

    `strategies` is empty unless `decision` is "continue"; `best` is set where it is "best". `source` is who
    proposed, and `fallbacks` says what went wrong with a model's answer and what was done instead.
    """

    model_config = ConfigDict(frozen=True)
    strategies: tuple[tuple[Team, ...], ...] = ()
    decision: Decision = "continue"
    best: tuple[Team, ...] | None = None
    reasoning: str = ""
    source: Source
    fallbacks: tuple[Fallback, ...] = ()
    transcript: tuple[Exchange, ...] = ()


class Strategist(ABC):
    """Proposes strategies from the view alone: no state is kept, so the same view gives the same proposal
    after a restart and on any machine."""

    source: ClassVar[Source]

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    @abstractmethod
    def propose(self, view: AgentView, k: int) -> Proposal:
        """Up to `k` strategies that have no score yet, or a decision that ends the search.

        Raises ValueError where `k` is below 1, and BudgetExceeded where a model may not be asked any more.
        """

    def recommend(self, view: AgentView) -> Strategy:
        """The strategy to adopt, were the search to end now: the highest score, no processing where none is above
        zero. Asks no model."""
        return highest(view)

    def _round_seed(self, view: AgentView) -> int:
        """Seed of this round, in [0, 2**32)."""
        return int(digest("strategist", self.source, self.seed, view.round)[:8], 16)


def highest(view: AgentView) -> Strategy:
    """The strategy with the highest score; no processing where none is above zero."""
    best = view.best
    return best.strategy if best is not None and best.score > 0 else NO_PROCESSING


def unseen(strategies: Iterable[Strategy], view: AgentView) -> list[Strategy]:
    """The strategies that may be tried: each once, never one with a score, never "no processing" (the
    baseline is its trial), only usable teams. Order is kept."""
    allowed = set(view.untried)
    return [s for s in dict.fromkeys(strategies) if s in allowed]


def conclude(best: Strategy, source: Source, why: str) -> Proposal:
    """Ends the search with the strategy that its source recommends, or with no processing."""
    if best == NO_PROCESSING:
        return Proposal(decision="no_processing", source=source, reasoning=f"{why} None scored above zero.")
    return Proposal(decision="best", best=best, source=source, reasoning=f"{why} {label(best)} did best.")


def refuse_repeats(
    proposal: Proposal,
    view: AgentView,
    k: int,
    fallback: Strategist | None = None,
    best: Callable[[AgentView], Strategy] = highest,
) -> Proposal:
    """The proposal as the loop may use it.

    A decision that ends the search is passed on without strategies. Otherwise strategies with a score, or named
    twice, are dropped, and places left empty up to `k` are filled by `fallback` (visible as "topped_up").
    Where nothing is left to try, the search is concluded ("space_exhausted") with what `best` says of the view.
    """
    if k < 1:
        raise ValueError(f"k is the number of strategies to propose and must be at least 1, got {k}")
    if proposal.decision != "continue":
        return proposal.model_copy(update={"strategies": ()})
    if not view.untried:
        end = conclude(best(view), proposal.source, "Every strategy has been tried.")
        codes = (*proposal.fallbacks, "space_exhausted")
        return end.model_copy(update={"fallbacks": codes, "transcript": proposal.transcript})
    kept = unseen(proposal.strategies, view)[:k]
    codes = proposal.fallbacks
    if len(kept) < k and fallback is not None:
        extra = fallback.propose(view, min(len(view.untried), k + len(kept))).strategies
        filled = unseen([*kept, *extra], view)[:k]
        if added := len(filled) - len(kept):
            logger.warning("strategist: %d of %d strategies added by %s", added, k, fallback.source)
            codes = (*codes, "topped_up")
        kept = filled
    return proposal.model_copy(update={"strategies": tuple(kept), "fallbacks": codes})
