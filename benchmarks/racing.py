"""Whether racing keeps the winner: `python -m benchmarks.racing [--landscape NAME ...] [--json] [--keep]`.

Replays rounds on landscapes that were recorded with --race: a round draws some strategies at random, trains each
with one of the recorded seeds, and keeps the best half by the mean likelihood after a third of the steps. Beside
it the control that keeps a random half. What counts is the mean score, over all seeds, of the strategy that a
round ends with.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence

import numpy as np

from benchmarks.recorded import Landscape, landscape_names, read_landscape
from benchmarks.results import write_result
from operators.config import Racing
from operators.strategist.space import NO_PROCESSING, Strategy

RACING = Racing(enabled=True)
SIZES = (4, 8)
"""Strategies of a round."""


def main() -> None:
    """Prints a table a landscape, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--landscape", nargs="*", default=[], help="names or files; without it, all with a race")
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/racing.json")
    given = parser.parse_args()
    landscapes = [read_landscape(name) for name in given.landscape or landscape_names()]
    figures = {}
    for landscape in landscapes:
        if not landscape.early_steps:
            print(f"{landscape.name}: recorded without --race")
            continue
        figures[landscape.name] = {f"{k} strategies": replayed(landscape, k, given.rounds) for k in SIZES}
        print(f"\n{landscape.name}: a look after {landscape.early_steps} of {landscape.steps} steps")
        for k, found in figures[landscape.name].items():
            print(f"  {k}: " + ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in found.items()))
    if given.keep:
        print(f"kept in {write_result('racing', figures)}")
    if given.json:
        print(json.dumps(figures))


def replayed(landscape: Landscape, size: int, rounds: int) -> dict[str, float]:
    """Shares of rounds, and mean scores of what a round ends with."""
    seeds = set(landscape.seeds)
    strategies = [
        s for s in landscape.strategies if s != NO_PROCESSING and seeds <= set(landscape.tuning(s).early)
    ]
    going = math.ceil(RACING.keep * size)
    kept, kept_by_chance, full, raced, chance = [], [], [], [], []
    for number in range(rounds):
        rng = np.random.default_rng(number)
        drawn = [strategies[i] for i in rng.choice(len(strategies), size, replace=False)]
        seed = landscape.seeds[rng.integers(len(landscape.seeds))]
        early = sorted(drawn, key=lambda s: landscape.tuning(s).early[seed])
        winner = best(landscape, drawn, seed)
        by_race, by_chance = best(landscape, early[:going], seed), best(landscape, drawn[:going], seed)
        kept.append(_same(landscape, by_race, winner))
        kept_by_chance.append(_same(landscape, by_chance, winner))
        full.append(landscape.means[winner])
        raced.append(landscape.means[by_race])
        chance.append(landscape.means[by_chance])
    check = landscape.early_steps / landscape.steps
    return {
        "keeps_the_winner": float(np.mean(kept)),
        "a_random_half_keeps_it": float(np.mean(kept_by_chance)),
        "score_without_racing": float(np.mean(full)),
        "score_with_racing": float(np.mean(raced)),
        "score_of_a_random_half": float(np.mean(chance)),
        "steps_saved": (size - going) * (1 - check) / size,
    }


def best(landscape: Landscape, drawn: Sequence[Strategy], seed: int) -> Strategy:
    """The one with the highest score in a search with this training seed."""
    return max(drawn, key=lambda s: landscape.comparison(s, seed).score)


def _same(landscape: Landscape, a: Strategy, b: Strategy) -> bool:
    """Strategies that leave the same data are one."""
    return landscape.strategies[a] == landscape.strategies[b]


if __name__ == "__main__":
    main()
