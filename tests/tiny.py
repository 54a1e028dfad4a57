"""A data set and a configuration so small that a search takes seconds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import yaml

from operators.config import SearchConfig
from operators.results import SearchResult

PLACES = [
    "heart",
    "liver",
    "lung",
    "kidney",
    "brain",
    "skin",
    "bone",
    "eye",
    "ear",
    "nose",
    "throat",
    "hand",
    "foot",
]
SIGNS = ["swelling", "pain", "redness", "bleeding", "weakness", "itching", "stiffness", "numbness", "dryness"]
CAUSES = ["an infection", "an injury", "a lack of sleep", "an allergy", "cold weather", "old age", "heavy work"]

MARKS = {
    "cleaning": [{"name": "mark_cleaning"}],
    "generation": [{"name": "mark_generation"}],
    "optimization": [{"name": "mark_optimization"}],
    "selection": [{"name": "mark_selection"}],
}
"""Chains of the package in tests/third_party."""


def rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Question/answer rows, all different."""
    subjects = [(p, s) for p in PLACES for s in SIGNS]
    rng = Random(f"tiny/{seed}")
    return [
        {
            "id": f"r{seed}-{i}",
            "question": f"What causes {sign} of the {place}?",
            "answer": f"Most often {sign} of the {place} comes from {rng.choice(CAUSES)}; rest helps.",
        }
        for i, (place, sign) in enumerate(rng.sample(subjects, count))
    ]


def write_jsonl(path: Path, lines: Iterable[Mapping[str, Any]]) -> Path:
    """Writes rows as JSON lines."""
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


def write_set(folder: Path, count: int = 40) -> None:
    """`train.jsonl` of `count` records and `evaluation.jsonl` of 30 questions that it does not ask."""
    made = rows(count + 30)
    write_jsonl(folder / "train.jsonl", made[:count])
    write_jsonl(folder / "evaluation.jsonl", made[count:])


def settings(folder: Path, **changes: Any) -> dict[str, Any]:
    """A configuration whose files all lie in `folder`; `changes` are merged into it, key by key."""
    base: dict[str, Any] = {
        "name": "tiny",
        "data": {
            "input": str(folder / "train.jsonl"),
            "evaluation": str(folder / "evaluation.jsonl"),
            "search_questions": 8,
            "judge_questions": 8,
            "sealed_questions": 8,
        },
        "store": str(folder / "store"),
        "output": str(folder / "runs"),
        "targeting": {"enabled": False},
        "sampling": {"minimum": 16},
        "teams": MARKS,
        "training": {"steps": 1, "batch_size": 2, "max_length": 64, "lora": {"rank": 4, "last_layers": 1}},
        "judging": {"bootstrap": 200, "noise_floor": False, "sealed_seeds": 1},
        "strategist": {"kind": "random"},
        "budget": {"rounds": 1, "trials_per_round": 2},
        "cluster": {"num_cpus": 2},
    }
    return _merged(base, changes)


def write_config(folder: Path, **changes: Any) -> Path:
    """`settings` as a YAML file in `folder`."""
    path = folder / "search.yaml"
    path.write_text(yaml.safe_dump(settings(folder, **changes)), encoding="utf-8")
    return path


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        # A team's chain and an endpoint are replaced as a whole.
        result[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def run_search(folder: Path, **changes: Any) -> SearchResult:
    """Runs the flow in this process, as `settings` say."""
    from flows.search import search

    return search(SearchConfig.model_validate(settings(folder, **changes)))


def search_json(folder: Path, name: str = "tiny") -> dict[str, Any]:
    """What a search published about itself."""
    found: dict[str, Any] = json.loads((folder / "runs" / name / "search.json").read_text(encoding="utf-8"))
    return found


def steady(found: dict[str, Any]) -> dict[str, Any]:
    """The part of a search.json that does not tell how much had to be computed, or how long it took."""
    trials = [
        {k: v for k, v in t.items() if k not in ("seconds", "trained", "reused_teams")} for t in found["trials"]
    ]
    return {**{k: v for k, v in found.items() if k not in ("seconds", "work")}, "trials": trials}
