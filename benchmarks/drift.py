"""How far real sets drift from each other: `python -m benchmarks.drift [--data FOLDER] [--json] [--keep]`.

For each set a reference from half of its records, and the distance of 512, 128 and 32 records of the other half
(which should be about 0), and of every other set (which should not). `operators.drift.MAX_DRIFT` lies between.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import write_result
from operators.data.records import Message, Record
from operators.drift import MAX_DRIFT, drift, make_reference
from operators.example import build_example
from operators.models import MINILM, model_digest
from operators.record_vectors import embed_records, whole

ROWS = 1200
DRAWS = 20


def main() -> None:
    """Prints one row a set, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/drift.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = {path.stem: path for path in sorted(arguments.data.glob("*.jsonl"))}
        paths["example"] = build_example(folder).train
        sets = {name: vectors(path) for name, path in paths.items()}
    figures: dict[str, Any] = {"max_drift": MAX_DRIFT}
    for name, rows in sets.items():
        half = len(rows) // 2
        reference = make_reference(rows[:half], MINILM, model_digest(MINILM))
        same = {str(n): worst(reference, rows[half:], n) for n in (512, 128, 32)}
        others = {other: drift(reference, sets[other][:512]) for other in sets if other != name}
        figures[name] = {"same_set_worst_of_draws": same, "other_sets": others}
        print(
            f"{name:<20} itself (worst of {DRAWS} draws): " + ", ".join(f"{n}: {d:.4f}" for n, d in same.items())
        )
        print(" " * 20, "others: " + ", ".join(f"{n} {d:.3f}" for n, d in others.items()))
    if arguments.keep:
        print(f"kept in {write_result('drift', figures)}")
    if arguments.json:
        print(json.dumps(figures))


def vectors(path: Path) -> np.ndarray:
    """Embeddings of up to ROWS records of a question/answer file, in random order."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    chosen = np.random.default_rng(0).permutation(len(rows))[:ROWS]
    turns = [(Message("user", rows[i]["question"]), Message("assistant", rows[i]["answer"])) for i in chosen]
    return whole(embed_records([Record(str(i), t) for i, t in enumerate(turns)], len(turns)))


def worst(reference: Any, rows: np.ndarray, size: int) -> float:
    """The largest distance of DRAWS random parts of `size` rows."""
    rng = np.random.default_rng(1)
    parts = (rng.choice(len(rows), min(size, len(rows)), replace=False) for _ in range(DRAWS))
    return max(drift(reference, rows[part]) for part in parts)


if __name__ == "__main__":
    main()
