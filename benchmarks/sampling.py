"""How well samples stand for the whole set: `python -m benchmarks.sampling [--json]`.

On real sets and the example set: energy distance of a 20 % sample relative to the median of 50 uniform samples,
over the whole set and inside each flag stratum, for our methods and for two that look sensible and are not:
the rows most similar to the mean, and greedy graph cut. The flags are the classifier's, on static embeddings;
distances are measured in the model's space. `benchmarks.sampling_scale` measures time and memory.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import write_result
from operators.data.records import Message, Record
from operators.example import build_example
from operators.fidelity import EnergyDistance
from operators.models import STATIC_MINILM
from operators.record_vectors import embed_records, whole
from operators.sampling import sample
from operators.targeting import flag_records

FRACTION = 0.2
REFERENCES = 50
Chooser = Callable[[np.ndarray, Sequence[bool | None]], np.ndarray]


def main() -> None:
    """Prints one table a set, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/sampling.json")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        sets = {
            "example": build_example(folder).train,
            "forum_doctor_3k": arguments.data / "forum_doctor_3k.jsonl",
            "medquad_4k": arguments.data / "medquad_4k.jsonl",
        }
        for name, path in sets.items():
            figures[name] = compare(name, load(path))
    if arguments.keep:
        print(f"kept in {write_result('sampling', figures)}")
    if arguments.json:
        print(json.dumps(figures))


def load(path: Path) -> list[Record]:
    """Records of a question/answer file."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        Record(str(i), (Message("user", r["question"]), Message("assistant", r["answer"])))
        for i, r in enumerate(rows)
    ]


def compare(name: str, records: list[Record]) -> dict[str, Any]:
    """Every method on one set, each by its energy distance over the median uniform sample's."""
    embeddings = whole(embed_records(records, len(records)))
    static = embed_records(records, len(records), STATIC_MINILM)
    flags = flag_records(records, static, precision=0.8, seed=0).flags
    by_first = np.lexsort(embeddings.T[:3])
    methods: dict[str, Chooser] = {
        "herding (ours)": _ours("herding"),
        "herding, sorted input": lambda e, f: by_first[_ours("herding")(e[by_first], [f[i] for i in by_first])],
        "kmeans (ours)": _ours("kmeans"),
        "uniform in strata": _ours("uniform"),
        "first rows of the file": lambda e, _f: np.arange(round(FRACTION * len(e))),
        "most similar to the mean": lambda e, _f: np.argsort(-(e @ e.mean(axis=0)))[: round(FRACTION * len(e))],
        "greedy graph cut": lambda e, _f: graph_cut(e, round(FRACTION * len(e))),
    }
    strata = {str(v): np.array([i for i, f in enumerate(flags) if f is v], int) for v in (True, False, None)}
    relative = Relative(embeddings)
    inside = {k: (rows, Relative(embeddings[rows])) for k, rows in strata.items() if len(rows) >= 50}
    counts = ", ".join(f"{len(v)} {k}" for k, v in strata.items())
    print(f"\n{name}: {len(records)} rows, flags {counts}", flush=True)
    print(
        f"  {'energy distance / uniform median':<34} {'whole':>7}"
        + "".join(f"{k:>9}" for k in inside)
        + "      off"
    )
    figures: dict[str, Any] = {"rows": len(records), "strata": {k: len(v) for k, v in strata.items()}}
    for label, choose in methods.items():
        chosen = choose(embeddings, flags)
        ratios = {"whole": relative(chosen)}
        exact = {k: len(v) * len(chosen) / len(records) for k, v in strata.items()}
        off = max(abs(int(np.isin(v, chosen).sum()) - exact[k]) for k, v in strata.items())
        ratios |= {k: within(np.flatnonzero(np.isin(rows, chosen))) for k, (rows, within) in inside.items()}
        figures[label] = ratios | {"records_off_the_flag_ratio": off}
        print(
            f"  {label:<34} {ratios['whole']:7.2f}" + "".join(f"{ratios[k]:9.2f}" for k in inside) + f"{off:9.1f}"
        )
    return figures


def graph_cut(embeddings: np.ndarray, size: int, diversity: float = 0.5) -> np.ndarray:
    """Greedy maximisation of sum_i,s sim(i, s) - diversity sum_s,s' sim(s, s'), with cosine similarity; needs
    all pairs, so only for small sets."""
    similarity = embeddings @ embeddings.T
    gain = similarity.sum(axis=1)
    chosen = np.empty(size, np.int64)
    for i in range(size):
        chosen[i] = best = int(np.argmax(gain))
        gain -= 2 * diversity * similarity[best]
        gain[best] = -np.inf
    return chosen


def _ours(method: Any) -> Chooser:
    return lambda e, f: sample(e, f, fraction=FRACTION, minimum=1, method=method)


class Relative:
    """Energy distance of chosen rows over the median of uniform samples of the same size."""

    def __init__(self, rows: np.ndarray) -> None:
        self._distance = EnergyDistance(rows, np.random.default_rng(0))
        self._rows = len(rows)
        self._medians: dict[int, float] = {}

    def __call__(self, chosen: np.ndarray) -> float | None:
        """None where nothing is chosen."""
        size = len(chosen)
        if not size:
            return None
        if size not in self._medians:
            rng = np.random.default_rng(1)
            draws = [self._distance(rng.choice(self._rows, size, replace=False)) for _ in range(REFERENCES)]
            self._medians[size] = float(np.median(draws))
        return self._distance(chosen) / self._medians[size]


if __name__ == "__main__":
    main()
