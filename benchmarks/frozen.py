"""Fine-tunes that take the frozen blocks' outputs from the cache, against whole forward passes.

    python -m benchmarks.frozen [--records 200] [--questions 80] [--json] [--keep]

One thread, the demo's training recipe, records of the example set. Both sides train on the same three sets in
turns: all records, three quarters of them, and another three quarters, as strategies of one round do. The cache is
empty at first, so the first fine-tune pays for what the others find.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.results import write_result
from operators.config import load_config


def main() -> None:
    """Prints seconds a fine-tune and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="examples/demo.yaml", help="whose training recipe")
    parser.add_argument("--records", type=int, default=200)
    parser.add_argument("--questions", type=int, default=80)
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/frozen.json")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.config, arguments.records, arguments.questions)
    print(f"{'fine-tune':<12} {'whole, s':>9} {'reused, s':>9} {'ratio':>6}")
    for i, (whole, reused) in enumerate(zip(figures["whole_seconds"], figures["reused_seconds"], strict=True), 1):
        print(f"{i:<12} {whole:>9.1f} {reused:>9.1f} {whole / reused:>6.2f}")
    print(f"largest difference of a question's loss: {figures['max_nll_difference']:.4f} nats a token")
    if arguments.keep:
        write_result("frozen", figures)
    if arguments.json:
        print(json.dumps(figures))


def measure(config: str, records: int, questions: int) -> dict[str, Any]:
    """Both sides in turns, with an empty cache."""
    import torch

    from operators.data.loading import load
    from operators.data.store import Store, default_cache
    from operators.example import build_example
    from operators.training.lora import fine_tune

    torch.set_num_threads(1)
    recipe = load_config(config).training
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cache").mkdir()
        if (models := default_cache() / "models").exists():
            (folder / "cache" / "models").symlink_to(models)  # converting them is not what is timed
        os.environ["AUTODP_CACHE"] = str(folder / "cache")
        default_cache.cache_clear()
        paths = build_example(folder / "example", records)
        train, held_out = load(str(paths.train)).records, load(str(paths.evaluation)).records[:questions]
        quarter = len(train) // 4
        sets = [train, train[quarter:], train[:-quarter]]
        store = Store(str(folder / "store"))
        seconds: dict[bool, list[float]] = {False: [], True: []}
        differences = []
        fine_tune(train[:8], held_out[:8], recipe.model_copy(update={"steps": 1, "reuse_frozen": False}), store)
        for data in sets:
            losses = {}
            for reuse in (False, True):
                tuned = fine_tune(data, held_out, recipe.model_copy(update={"reuse_frozen": reuse}), store)
                seconds[reuse].append(tuned.seconds)
                losses[reuse] = tuned.question_nll
            differences += [abs(a - b) for a, b in zip(losses[False], losses[True], strict=True)]
    return {
        "whole_seconds": seconds[False],
        "reused_seconds": seconds[True],
        "ratio_after_the_first": sum(seconds[False][1:]) / sum(seconds[True][1:]),
        "max_nll_difference": max(differences),
    }


if __name__ == "__main__":
    main()
