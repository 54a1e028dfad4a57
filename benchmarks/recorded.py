"""Recorded landscapes: what every strategy scored on one set, for several training seeds. Numbers only."""

from __future__ import annotations

import functools
import itertools
import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from operators.judging.reference import outcomes
from operators.judging.statistics import compare, noise_floor
from operators.results import Comparison, DataCounts
from operators.strategist.space import NO_PROCESSING, Strategy, all_strategies, strategy

KEYS = ("name", "about", "task", "data", "questions", "steps", "early_steps", "tie_margin")
LANDSCAPES = Path(__file__).parent / "landscapes"


class Tuning(BaseModel):
    """One training set, fine-tuned with several seeds. `nll[seed]` holds nats per token of each judging
    question's answer, to four decimals."""

    model_config = ConfigDict(frozen=True)
    rows: int
    nll: dict[int, list[float]]
    early: dict[int, float] = {}
    """By seed the mean over the questions after the landscape's `early_steps`."""


class Landscape(BaseModel):
    """All strategies of one set. Strategies that leave the same data share a tuning."""

    model_config = ConfigDict(frozen=True)
    name: str
    about: dict[str, str | int]
    """Date, machine and commit of the recording, and the model."""
    task: str
    data: DataCounts
    questions: int
    steps: int
    early_steps: int = 0
    """When racing would look at a training; 0 where that was not recorded."""
    tie_margin: float
    tuning_of: dict[str, str]
    """Strategy, its teams joined by ">" ("" is no processing), to the key of its tuning."""
    tunings: dict[str, Tuning]

    @functools.cached_property
    def strategies(self) -> dict[Strategy, str]:
        """Every recorded strategy in the fixed order, with the key of its tuning."""
        known = {strategy(label.split(">") if label else ()): key for label, key in self.tuning_of.items()}
        return {s: known[s] for s in all_strategies(include_empty=True) if s in known}

    @functools.cached_property
    def seeds(self) -> list[int]:
        """Training seeds that every strategy was run with."""
        return sorted(set.intersection(*(set(self.tunings[key].nll) for key in self.strategies.values())))

    @property
    def baseline(self) -> Tuning:
        """The model tuned on the unprocessed sample."""
        return self.tunings[self.strategies[NO_PROCESSING]]

    def tuning(self, of: Strategy) -> Tuning:
        """The tuning of a strategy."""
        return self.tunings[self.strategies[of]]

    def comparison(self, of: Strategy, seed: int) -> Comparison:
        """A strategy against the baseline, both trained with `seed`, as the search compares them."""
        return self._compared[self.strategies[of], seed]

    @functools.cached_property
    def _compared(self) -> dict[tuple[str, int], Comparison]:
        """By tuning and seed: every replay asks for the same few."""
        baseline = self.baseline.nll
        return {
            (key, seed): compare(outcomes(self.tunings[key].nll[seed], baseline[seed], self.tie_margin))
            for key in dict.fromkeys(self.strategies.values())
            for seed in self.seeds
        }

    @functools.cached_property
    def means(self) -> dict[Strategy, float]:
        """The mean score of every strategy over the seeds; no processing scores 0."""
        return {
            s: sum(self.comparison(s, seed).score for seed in self.seeds) / len(self.seeds)
            for s in self.strategies
        }

    @functools.cached_property
    def same_data(self) -> list[list[float]]:
        """Outcomes of the baseline against itself, one list for every two of its seeds (A/A)."""
        runs = self.baseline.nll
        return [outcomes(runs[a], runs[b], self.tie_margin) for a, b in itertools.combinations(sorted(runs), 2)]

    @functools.cached_property
    def noise_floor(self) -> float:
        """The |score| that a strategy without any effect stays below; 0 where the baseline has one seed only."""
        return noise_floor(self.same_data) if self.same_data else 0.0


def landscape_names() -> list[str]:
    """The landscapes that come with the project."""
    return sorted(p.stem for p in LANDSCAPES.glob("*.json"))


def read_landscape(name_or_path: str | Path) -> Landscape:
    """A landscape by its name, or from a file."""
    path = Path(name_or_path)
    path = path if path.suffix == ".json" else LANDSCAPES / f"{name_or_path}.json"
    return Landscape.model_validate_json(path.read_text(encoding="utf-8"))


def write_landscape(landscape: Landscape, path: Path) -> None:
    """One line a strategy and a tuning: readable, and small in a diff."""
    values = landscape.model_dump(mode="json")
    parts = [f" {json.dumps(k)}: {json.dumps(values[k])}" for k in KEYS]
    for key in ("tuning_of", "tunings"):
        lines = (f"  {json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in values[key].items())
        parts.append(f' "{key}": {{\n' + ",\n".join(lines) + "\n }")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")
