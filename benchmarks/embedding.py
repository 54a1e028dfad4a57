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
from operators.sampling import sample
from operators.targeting import flag_records

Figures = dict[str, Any]
SEEDS = range(5)
"""Of the samples: how close one comes depends a little on its seed."""


def main() -> None:
    """Prints the three comparisons, keeps them, and with --json prints them as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--timed-rows", type=int, default=1000)
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
    write_result("embedding", figures)
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
            start = time.perf_counter()
            for _ in range(repeats):
                embed(texts, name)
            figures[f"{name}_rows_per_second"] = repeats * len(texts) / (time.perf_counter() - start)
    finally:
        os.environ["AUTODP_CACHE"] = str(kept)
        default_cache.cache_clear()
    figures["times_faster"] = figures[f"{STATIC_MINILM}_rows_per_second"] / figures[f"{MINILM}_rows_per_second"]
    print(f"Embedding {len(texts)} texts of {figures['mean_characters']:.0f} characters on average")
    print(f"  model {figures[f'{MINILM}_rows_per_second']:8.0f} rows/s")
    print(
        f"  static {figures[f'{STATIC_MINILM}_rows_per_second']:7.0f} rows/s, {figures['times_faster']:.0f} times"
    )
    return figures


def sampling(name: str, records: list[Record]) -> Figures:
    """Energy distance to the whole set over the median uniform sample's, both in the model's space; the median
    of a few seeds."""
    texts = [r.text for r in records]
    vectors = embed(texts, MINILM)
    of = {"model": vectors, "static": embed(texts, STATIC_MINILM)}
    relative = Relative(vectors)
    flags = [None] * len(records)
    figures: Figures = {}
    for kind, chosen_by in of.items():
        found = [relative(sample(chosen_by, flags, fraction=FRACTION, minimum=1, seed=s)) for s in SEEDS]
        figures[kind] = {"median": float(np.median(found)), "worst": max(found)}
    print(f"\n{name}: energy distance / median uniform, measured with the model, worst of {len(SEEDS)} seeds")
    for kind, found_by in figures.items():
        print(f"  chosen with the {kind:<7} {found_by['median']:.2f} (worst {found_by['worst']:.2f})")
    return figures


def targeting(records: list[Record], low: np.ndarray) -> Figures:
    """AUROC of the classifier on the example set, without labels, with either embedding."""
    figures: Figures = {}
    print("\nFinding low-quality records of the example set, no labels: AUROC")
    for kind, model in (("model", MINILM), ("static", STATIC_MINILM)):
        vectors = embed([r.text for r in records], model)
        found = flag_records(records, vectors, precision=0.8, seed=0, embedder=model)
        figures[kind] = auroc(low, found.probabilities)
        print(f"  {kind:<7} {figures[kind]:.3f}")
    return figures


if __name__ == "__main__":
    main()
