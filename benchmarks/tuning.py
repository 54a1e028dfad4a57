"""What a fine-tune costs on this machine: `python -m benchmarks.tuning [--at-once 1 2] [--json] [--keep]`.

The demo's recipe on records of the example set, on the GPU where there is one. Several fine-tunes at once share
the device from processes of their own, as Ray's workers do with a fraction of `training.num_gpus`. Every process
has loaded and trained once before the clock starts.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.results import machine, write_result
from operators.config import Training, load_config
from operators.data.loading import load
from operators.data.store import Store
from operators.example import build_example
from operators.training.lora import FineTune, fine_tune

QUESTIONS = 80


def main() -> None:
    """Prints a line a degree of parallelism, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("examples/demo.yaml"))
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3, help="fine-tunes of every process")
    parser.add_argument("--steps", type=int, help="instead of the recipe's")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/tuning.json")
    given = parser.parse_args()
    recipe = load_config(given.config, []).training
    if given.steps:
        recipe = recipe.model_copy(update={"steps": given.steps})
    figures: dict[str, Any] = {"steps": recipe.steps, "batch_size": recipe.batch_size, "questions": QUESTIONS}
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build_example(folder / "example", 400, 7)
        for n in given.at_once:
            figures[f"{n}_at_once"] = found = measure(folder, recipe, n, given.rounds)
            print(f"{n} at once: " + ", ".join(f"{k.replace('_', ' ')} {v:.2f}" for k, v in found.items()))
    if given.keep:
        print(f"kept in {write_result('tuning', figures)}")
    if given.json:
        print(json.dumps(figures))


def measure(folder: Path, recipe: Training, processes: int, rounds: int) -> dict[str, float]:
    """Seconds of `rounds` fine-tunes in each of so many processes at a time."""
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, ProcessPoolExecutor(processes, mp_context=spawn) as pool:
        ready = manager.Barrier(processes + 1)
        jobs = [pool.submit(tune, folder, recipe, number, rounds, ready) for number in range(processes)]
        ready.wait()
        start = time.perf_counter()
        each = [seconds for job in jobs for seconds in job.result()]
        wall = time.perf_counter() - start
    return {
        "seconds_a_fine_tune": sum(each) / len(each),
        "fine_tunes_a_minute": 60 * processes * rounds / wall,
        "optimizer_steps_a_second": processes * rounds * recipe.steps / wall,
    }


def tune(folder: Path, recipe: Training, number: int, rounds: int, ready: Any) -> list[float]:
    """In a process: one fine-tune to warm up, then those that count."""
    records = load(str(folder / "example" / "train.jsonl")).records
    questions = load(str(folder / "example" / "evaluation.jsonl")).records[:QUESTIONS]
    store = Store(str(folder / "store"))

    def once(seed: int) -> FineTune:
        return fine_tune(records, questions, recipe.model_copy(update={"seed": seed}), store)

    once(1000 + number)
    ready.wait()
    return [once(rounds * number + i).seconds for i in range(rounds)]


if __name__ == "__main__":
    main()
