"""Searches over strategies that change nothing: how often is one adopted?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from benchmarks.judged import Recorded
from operators.config import Budget, Data, Judging
from operators.judging.statistics import compare, compare_seeds, noise_floor
from operators.results import Trial
from operators.strategist.space import all_strategies
from operators.verdict import best_trial, decide

DATA, JUDGING, TRIALS = Data(input=""), Judging(), Budget().trials
TIES = 0.08
"""Share of ties in simulated outcomes; about what recorded trials show."""

Draw = Callable[[np.random.Generator, float, int], list[float]]


def adoption(sets: dict[str, Recorded], searches: int) -> dict[str, Any]:
    """Share of searches that adopt a strategy, through the project's own choice of the best and decision.

    What is simulated: a model is its training seed alone, and its outcomes against another model. Recorded: the
    outcomes of an A/A comparison, drawn at random with a random sign and resampled over questions. Otherwise every
    model has a shift of its own, and two models' score on questions varies around the difference of their shifts,
    whose standard deviation is `spread`.
    """
    figures: dict[str, Any] = {"searches": searches}
    for name, recorded in sets.items():
        if recorded.same_data:
            runs = [np.asarray(run) for run in recorded.same_data]
            scores = [round(float(run.mean()), 3) for run in runs]
            figures[f"recorded {name}"] = {
                "a_a_scores": " ".join(map(str, scores)),
                "seeds_1": _share(searches, partial(_recorded, runs=runs, seeds=1)),
                "seeds_3": _share(searches, partial(_recorded, runs=runs, seeds=3)),
            }
    for spread in (0.0, 0.1, 0.2, 0.3):
        figures[f"spread {spread}"] = {
            "seeds_1": _share(searches, partial(_simulated, spread=spread, seeds=1)),
            "seeds_3": _share(searches, partial(_simulated, spread=spread, seeds=3)),
            "seeds_3_with_the_winners_own": _share(
                searches, partial(_simulated, spread=spread, seeds=3, own=True)
            ),
            "no_floor_no_seeds": _share(
                searches, partial(_simulated, spread=spread, seeds=1, own=True, floor=False)
            ),
        }
    return figures


def _share(searches: int, search: Callable[[np.random.Generator], bool]) -> float:
    return sum(search(np.random.default_rng(number)) for number in range(searches)) / searches


def _recorded(rng: np.random.Generator, runs: list[np.ndarray], seeds: int) -> bool:
    def draw(n: int) -> list[float]:
        run = runs[rng.integers(len(runs))] * rng.choice([-1.0, 1.0])
        return list(run[rng.integers(len(run), size=n)])

    floor = noise_floor([draw(DATA.judge_questions)], resamples=400)
    tried = [draw(DATA.judge_questions) for _ in range(TRIALS)]
    sealed = [draw(DATA.sealed_questions) for _ in range(seeds)]
    pairs = [draw(DATA.sealed_questions) for _ in combinations(range(seeds + 1), 2)]
    return _adopts(tried, floor, sealed, pairs)


def _simulated(rng: np.random.Generator, spread: float, seeds: int, own: bool = False, floor: bool = True) -> bool:
    """`own` puts the seed that won the search among those of the verdict."""
    shift = lambda: float(rng.normal(0, spread / 2**0.5))  # noqa: E731
    baselines = [shift() for _ in range(seeds + 1)]
    models = [shift() for _ in range(TRIALS)]

    def draw(gap: float, n: int) -> list[float]:
        won = (1 - TIES) * (1 + min(max(gap, -0.9), 0.9)) / 2
        return list(rng.choice([1.0, 0.0, -1.0], size=n, p=[won, TIES, 1 - TIES - won]))

    n, m = DATA.judge_questions, DATA.sealed_questions
    tried = [draw(model - baselines[0], n) for model in models]
    winner = int(np.argmax([np.mean(t) for t in tried]))
    first = 0 if own else 1
    rivals = [models[winner] if r == 0 else shift() for r in range(first, first + seeds)]
    sealed = [draw(a - b, m) for a, b in zip(rivals, baselines[first:], strict=False)]
    pairs = [draw(b - a, m) for a, b in combinations(baselines, 2)]
    measured = noise_floor([draw(baselines[1] - baselines[0], n)], resamples=400) if floor else 0.0
    return _adopts(tried, measured, sealed, pairs if floor else [])


def _adopts(tried: list[list[float]], floor: float, sealed: list[list[float]], pairs: list[list[float]]) -> bool:
    trials = [
        Trial(round=1, strategy=s, comparison=compare(t, resamples=100), rows=1, steps=1, noise_floor=floor)
        for s, t in zip(all_strategies(), tried, strict=False)
    ]
    best = best_trial(trials)
    end = noise_floor(pairs, seeds=len(sealed), resamples=400) if pairs else 0.0
    comparison = compare_seeds(sealed, resamples=400)
    return decide(best.strategy, comparison, JUDGING.confidence, noise_floor=end).decision == "adopt"
