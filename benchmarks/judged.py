"""Recorded per-question outcomes: trials against the baseline, and the baseline against itself. Numbers only."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from operators.judging.reference import outcomes
from operators.results import SearchResult
from operators.strategist.space import label

HERE = Path(__file__).parent
RECORDED = HERE / "results" / "judging_recorded.json"

Outcomes = list[float]


@dataclass
class Recorded:
    """One data set: `trials` by strategy (and seed), `same_data` the A/A comparisons."""

    trials: dict[str, Outcomes] = field(default_factory=dict)
    same_data: list[Outcomes] = field(default_factory=list)


def recorded_sets() -> dict[str, Recorded]:
    """All recorded sets: kept runs of searches, and the landscapes."""
    sets: dict[str, Recorded] = {}
    if RECORDED.exists():
        kept = json.loads(RECORDED.read_text(encoding="utf-8"))
        sets = {name: Recorded(**values) for name, values in kept["figures"].items()}
    for path in sorted((HERE / "landscapes").glob("*.json")):
        sets[f"landscape {path.stem}"] = from_landscape(json.loads(path.read_text(encoding="utf-8")))
    return sets


def from_search(path: Path) -> Recorded:
    """What a search.json holds."""
    result = SearchResult.model_validate_json(path.read_text(encoding="utf-8"))
    return Recorded(
        {label(t.strategy): t.comparison.outcomes for t in result.trials},
        [c.outcomes for c in result.same_data],
    )


def from_store(store: Path) -> Recorded:
    """The trials that lie in a store, of a search that was not finished: their strategies are not named. The
    sealed comparison, if any, is told by its number of questions."""
    found = [_result(path)["outcomes"] for path in sorted((store / "results").glob("judge-*"))]
    length = statistics.mode(map(len, found))
    trials = [outcomes for outcomes in found if len(outcomes) == length]
    return Recorded({f"trial {i}": outcomes for i, outcomes in enumerate(trials, 1)})


def from_landscape(landscape: dict[str, Any]) -> Recorded:
    """Every strategy that leaves data of its own, with every seed; every pair of the baseline's seeds."""
    tunings, margin = landscape["tunings"], landscape["tie_margin"]
    baseline = landscape["tuning_of"][""]
    base = tunings[baseline]["nll"]
    named = {key: name for name, key in reversed(landscape["tuning_of"].items()) if key != baseline}
    return Recorded(
        {
            f"{named[key]} seed {seed}": outcomes(nll, base[seed], margin)
            for key, tuning in tunings.items()
            if key in named
            for seed, nll in tuning["nll"].items()
            if seed in base
        },
        [outcomes(base[a], base[b], margin) for a, b in combinations(base, 2)],
    )


def _result(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.loads(path.read_text(encoding="utf-8"))["result"])["data"]
    return found
