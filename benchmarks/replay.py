"""Replaying a recorded landscape: a search whose trials cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from benchmarks.recorded import Landscape
from operators.digest import digest
from operators.results import Trial
from operators.strategist.base import Proposal, refuse_repeats
from operators.strategist.space import NO_PROCESSING, Strategy
from operators.strategist.view import AgentView, Remaining, agent_view

CHECKPOINTS = (4, 8, 12, 16)
"""Evaluations after which the regret is taken."""
PER_ROUND = 4


class Player(Protocol):
    """What a strategist does, as far as a replay needs it."""

    def propose(self, view: AgentView, k: int) -> Proposal:
        """Up to `k` new strategies, or the end."""
        ...

    def recommend(self, view: AgentView) -> Strategy:
        """The strategy to adopt, were the search to end now."""
        ...


@dataclass
class Replay:
    """One search. `named[n]` is the strategy it would have adopted after n evaluations."""

    named: dict[int, Strategy] = field(default_factory=dict)
    evaluations: int = 0
    rounds: int = 0
    ended: str = ""


def replay(player: Player, landscape: Landscape, number: int, checkpoints: Sequence[int] = CHECKPOINTS) -> Replay:
    """Searches in rounds of 4. A trial's score is that of one of the recorded training seeds, drawn for each
    strategy by `number`, so that all players of one replay meet the same luck. A search that ends before the last
    checkpoint keeps what it named."""
    result = Replay()
    trials: list[Trial] = []
    budget = max(checkpoints)
    while True:
        view = view_of(landscape, trials, result.rounds + 1, budget)
        if len(trials) in checkpoints:
            result.named[len(trials)] = player.recommend(view)
        result.evaluations = len(trials)
        if len(trials) >= budget:
            break
        k = min(PER_ROUND, budget - len(trials), min(c for c in checkpoints if c > len(trials)) - len(trials))
        proposal = refuse_repeats(player.propose(view, k), view, k)
        if proposal.decision != "continue" or not proposal.strategies:
            result.ended = proposal.decision if proposal.decision != "continue" else "exhausted"
            best = (proposal.best or NO_PROCESSING) if proposal.decision != "continue" else player.recommend(view)
            result.named |= {n: best for n in checkpoints if n > len(trials)}
            break
        result.rounds += 1
        trials += [
            trial(landscape, s, drawn_seed(landscape, s, number), result.rounds) for s in proposal.strategies
        ]
    return result


def regret(landscape: Landscape, named: Strategy) -> float:
    """How much the best mean score exceeds that of the strategy named."""
    return max(landscape.means.values()) - landscape.means[named]


def replays(
    player: Callable[[int], Player], landscape: Landscape, count: int, *, threads: int = 1
) -> list[Replay]:
    """`count` searches by players made with seeds 0, 1, ...; several at a time where a server batches what they
    ask."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda number: replay(player(number), landscape, number), range(count)))


def head_to_head(landscape: Landscape, ours: Sequence[Replay], theirs: Sequence[Replay], after: int) -> float:
    """Share of replays after which ours names the better strategy, ties counting half."""
    wins = []
    for a, b in zip(ours, theirs, strict=False):
        one, other = landscape.means[a.named[after]], landscape.means[b.named[after]]
        wins.append(0.5 if abs(one - other) < 1e-9 else float(one > other))
    return float(np.mean(wins))


def drawn_seed(landscape: Landscape, of: Strategy, number: int) -> int:
    """The training seed that replay `number` meets for a strategy."""
    seeds = landscape.seeds
    return seeds[int(digest("replay", number, list(of))[:8], 16) % len(seeds)]


def trial(landscape: Landscape, of: Strategy, seed: int, round: int) -> Trial:
    """A recorded trial, as a search would see it."""
    return Trial(
        round=round,
        strategy=of,
        comparison=landscape.comparison(of, seed),
        rows=landscape.tuning(of).rows,
        steps=landscape.steps,
        noise_floor=landscape.noise_floor,
    )


def view_of(landscape: Landscape, trials: Sequence[Trial], round: int, budget: int) -> AgentView:
    """What the strategist of a search over the landscape's set would be shown."""
    left = budget - len(trials)
    return agent_view(
        task=landscape.task,
        round=round,
        data=landscape.data,
        trials=trials,
        remaining=Remaining(rounds=-(-left // PER_ROUND), trials=left),
    )


def interval(values: Sequence[float], *, resamples: int = 2000) -> tuple[float, float, float]:
    """The median and its 95 % percentile bootstrap interval."""
    data = np.asarray(values, float)
    rng = np.random.default_rng(0)
    drawn = np.median(data[rng.integers(0, len(data), (resamples, len(data)))], axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(np.median(data)), float(low), float(high)
