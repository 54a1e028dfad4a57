"""Static embeddings beside the model they come from: `python -m benchmarks.embedding [--json]`.

Speed on the same texts; energy distance of samples chosen with static vectors, measured where the model puts the
records; AUROC of the classifier that finds low-quality records. No labels are used but to measure.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import write_result
from benchmarks.sampling import FRACTION, Relative, load
from benchmarks.targeting import auroc
from operators.data.records import Record
from operators.data.store import default_cache
from operators.embedding import embed
from operators.example import build_example
from operators.models import MINILM, STATIC_MINILM
from operators.record_vectors import embed_records, whole
from operators.sampling import sample
from operators.targeting import flag_records

Figures = dict[str, Any]


def main() -> None:
    """Prints the three comparisons, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--timed-rows", type=int, default=1000)
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/embedding.json")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        example = build_example(folder)
        sets = {
            "medquad_4k": load(arguments.data / "medquad_4k.jsonl"),
            "forum_doctor_3k": load(arguments.data / "forum_doctor_3k.jsonl"),
            "example": load(example.train),
        }
        kinds = [json.loads(line)["kind"] for line in example.labels.read_text(encoding="utf-8").splitlines()]
        figures: Figures = {
            "speed": speed([r.text for r in sets["medquad_4k"]][: arguments.timed_rows], Path(folder)),
            "sampling": {name: sampling(name, records) for name, records in sets.items()},
            "targeting": targeting(sets["example"], np.array(kinds) != "clean"),
        }
    if arguments.keep:
        print(f"kept in {write_result('embedding', figures)}")
    if arguments.json:
        print(json.dumps(figures))


def speed(texts: list[str], folder: Path) -> Figures:
    """Rows a second of both on the same texts, the model loaded and its cache empty."""
    embed(["warm"], MINILM)
    embed(["warm"], STATIC_MINILM)
    kept = default_cache()
    os.environ["AUTODP_CACHE"] = str(folder / "cache")
    default_cache.cache_clear()
    try:
        figures: Figures = {"rows": len(texts), "mean_characters": float(np.mean([len(t) for t in texts]))}
        for name in (MINILM, STATIC_MINILM):
            repeats = 1 if name == MINILM else 20
            start, used = time.perf_counter(), time.process_time()
            for _ in range(repeats):
                embed(texts, name)
            done = repeats * len(texts)
            figures[f"{name}_rows_per_second"] = done / (time.perf_counter() - start)
            figures[f"{name}_rows_per_cpu_second"] = done / (time.process_time() - used)
    finally:
        os.environ["AUTODP_CACHE"] = str(kept)
        default_cache.cache_clear()
    for what in ("second", "cpu_second"):  # the second holds beside other work as well
        ratio = figures[f"{STATIC_MINILM}_rows_per_{what}"] / figures[f"{MINILM}_rows_per_{what}"]
        figures[f"times_faster_by_{what}"] = ratio
    print(f"Embedding {len(texts)} texts of {figures['mean_characters']:.0f} characters on average")
    for name in (MINILM, STATIC_MINILM):
        by_time, by_cpu = (figures[f"{name}_rows_per_{what}"] for what in ("second", "cpu_second"))
        print(f"  {name:<22} {by_time:8.1f} rows/s, {by_cpu:8.1f} rows per CPU second")
    print(f"  {figures['times_faster_by_second']:.0f} times faster by the clock")
    return figures


def sampling(name: str, records: list[Record]) -> Figures:
    """Energy distance to the whole set over the median uniform sample's, both in the model's space."""
    static = whole(embed_records(records, len(records), STATIC_MINILM))
    vectors = whole(embed_records(records, len(records), MINILM))
    relative = Relative(vectors)
    figures: Figures = {}
    print(f"\n{name}: energy distance / median uniform, measured with the model")
    for kind, chosen_by in (("model", vectors), ("static", static)):
        chosen = sample(chosen_by, [None] * len(records), fraction=FRACTION, minimum=1)
        figures[kind] = relative(chosen)
        print(f"  chosen with the {kind:<7} {figures[kind]:.2f}")
    return figures


def targeting(records: list[Record], low: np.ndarray) -> Figures:
    """AUROC of the classifier on the example set, without labels, with either embedding."""
    figures: Figures = {}
    print("\nFinding low-quality records of the example set, no labels: AUROC")
    for kind, model in (("model", MINILM), ("static", STATIC_MINILM)):
        vectors = embed_records(records, len(records), model)
        found = flag_records(records, vectors, precision=0.8, seed=0)
        figures[kind] = auroc(low, found.probabilities)
        print(f"  {kind:<7} {figures[kind]:.3f}")
    return figures


if __name__ == "__main__":
    main()
