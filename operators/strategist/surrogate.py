"""Search by a Bayesian model of the scores: the batch that promises most, and an end when nothing does."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from operators.strategist.base import Proposal, Source, Strategist, refuse_repeats, unseen
from operators.strategist.posterior import SHARED_NOISE, Posterior, Prior, posterior, standard_error
from operators.strategist.space import NO_PROCESSING, Strategy, label
from operators.strategist.view import AgentView

DRAWS = 1024
"""Draws from the posterior that expected improvements are averaged over."""
ENOUGH = 0.5
"""The search ends when a whole further batch is expected to improve the best score by less than this share of the
noise of one score."""
SIMPLER = 0.5
"""Standard deviations by which a shorter strategy may be behind the best and still be preferred."""
OPENING = "Teams alone, and strategies that promise most before any score is seen."
MINIMUM_TRIALS = 4
"""Trials before the search may end."""


class SurrogateStrategist(Strategist):
    """Teams alone and some longer strategies first, then the batch with the largest expected improvement under
    `posterior`.

    The improvement is of the best true score among all tried strategies (Letham et al. 2019, "noisy expected
    improvement"), so the luck of a single high score earns nothing; the batch is chosen greedily over joint draws,
    so that its members do not all bet on the same thing.
    """

    source = "surrogate"

    def __init__(self, seed: int = 0, prior: Prior | None = None) -> None:
        super().__init__(seed)
        self.prior = prior or Prior()

    def propose(self, view: AgentView, k: int) -> Proposal:
        if k < 1 or not view.untried:
            return refuse_repeats(Proposal(source=self.source), view, k, best=self.recommend)
        model = posterior(view, self.prior)
        chosen, gain = batch(model, view, k, self._round_seed(view))
        if end := conclusion(model, view, gain, self.source):
            return end
        if not view.history:
            chosen = opening(view, chosen, k)
            return Proposal(strategies=tuple(chosen), source=self.source, reasoning=OPENING)
        return Proposal(
            strategies=tuple(chosen),
            source=self.source,
            reasoning=f"Together expected to improve the best score most, by {gain:+.2f}.",
        )

    def recommend(self, view: AgentView) -> Strategy:
        """The tried strategy with the highest expected score, which a single lucky score does not make."""
        return expected_best(posterior(view, self.prior), view)


def opening(view: AgentView, chosen: Sequence[Strategy], k: int, named: Sequence[Strategy] = ()) -> list[Strategy]:
    """The first batch: half of it as `named`, or without names as `chosen`; the rest teams alone, which tell most
    for the least work.

    Teams alone would not do: where they help each other, the best of them is far from the best strategy, and a
    search that ends early ends with it (`benchmarks.strategists`, landscapes example and forum_doctor_3k).
    """
    return unseen([*(named or chosen)[: k // 2], *((team,) for team in view.teams), *chosen], view)[:k]


def batch(model: Posterior, view: AgentView, k: int, seed: int) -> tuple[list[Strategy], float]:
    """Up to `k` untried strategies, and the improvement expected of all together."""
    import numpy as np

    draws = model.draws(2 * DRAWS, seed)
    choosing, measuring = draws[:DRAWS], draws[DRAWS:]
    tried = [model.index[s] for s in (NO_PROCESSING, *(t.strategy for t in view.finished)) if s in model.index]
    reached = choosing[:, tried].max(axis=1)
    left = {s: model.index[s] for s in view.untried}
    chosen: list[Strategy] = []
    while left and len(chosen) < k:
        gains = np.maximum(choosing[:, list(left.values())], reached[:, None]).mean(axis=0)
        best = list(left)[int(np.argmax(gains))]
        reached = np.maximum(reached, choosing[:, left.pop(best)])
        chosen.append(best)
    # Other draws than those the batch was chosen by: it looks best on these.
    before = measuring[:, tried].max(axis=1)
    after = measuring[:, [*tried, *(model.index[s] for s in chosen)]].max(axis=1)
    return chosen, float((after - before).mean())


def conclusion(model: Posterior, view: AgentView, gain: float, source: Source) -> Proposal | None:
    """The end of the search, where the improvement that a further batch promises is lost in the noise."""
    if len(view.history) < min(MINIMUM_TRIALS, len(view.history) + len(view.untried)):
        return None
    if gain >= ENOUGH * noise(view):
        return None
    best = expected_best(model, view)
    if best == NO_PROCESSING and "no_processing" in view.decisions:
        return Proposal(
            decision="no_processing",
            source=source,
            reasoning="No strategy is expected to score above no processing, and a further round to change that.",
        )
    if best == NO_PROCESSING or "best" not in view.decisions:
        return None
    return Proposal(
        decision="best",
        best=best,
        source=source,
        reasoning=f"A further round is expected to improve on {label(best)} by {gain:+.2f}, less than the noise.",
    )


def expected_best(model: Posterior, view: AgentView) -> Strategy:
    """The strategy trained to the end that has the highest expected score, or one with fewer teams that is as good
    as far as the trials tell; no processing where nothing is expected to score above 0.

    A shorter strategy is taken where it is behind by less than `SIMPLER` standard deviations of the difference, as
    in the one-standard-error rule (Breiman et al. 1984, section 3.4.3).
    """
    tried = [t.strategy for t in view.finished if t.strategy in model.index]
    mean = {s: float(model.mean[model.index[s]]) for s in tried}
    best = max(tried, key=lambda s: mean[s], default=NO_PROCESSING)
    if best == NO_PROCESSING or mean[best] <= 0:
        return NO_PROCESSING
    near = [s for s in tried if mean[best] - mean[s] <= SIMPLER * model.difference_sd(best, s)]
    return min((s for s in near if mean[s] > 0), key=lambda s: (len(s), -mean[s]))


def noise(view: AgentView) -> float:
    """Standard error of one score, without what all scores of the search have in common."""
    errors = [standard_error(t) for t in view.history]
    return statistics.median(errors) * (1 - SHARED_NOISE) ** 0.5 if errors else 0.0
