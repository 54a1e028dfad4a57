"""Where tuned models answer quickest: `python -m benchmarks.answering [--models N] [--json] [--keep]`.

Some models are tuned on parts of the example set. Each then answers the same held-out questions, greedily: first
where it was trained, one model after the other, each in batches; then all at once on one vLLM server that holds
their adapters. Same machine, same number of threads, all models loaded and the server warm before the clock
starts; what starting the server takes is told apart.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.results import write_result
from operators.config import LoRA, TargetEndpoint, Training
from operators.data.loading import load
from operators.data.store import BlobRef, Store
from operators.example import build_example
from operators.llm import adapters
from operators.llm.vllm import Adapters, ManagedServer
from operators.training.answers import generate
from operators.training.lora import fine_tune, load_model
from operators.training.tokens import load_tokenizer

RECIPE = Training(steps=8, batch_size=4, learning_rate=1e-3, max_length=192, lora=LoRA(last_layers=4))
ENDPOINT = TargetEndpoint(managed=True, gpu_memory_share=0.5)
PART = 40
"""Records that a model is tuned on."""


def main() -> None:
    """Prints the figures, and with --json as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=4)
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--tokens", type=int, default=64, help="longest answer")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/answering.json")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = compare(Path(folder), given.models, given.questions, given.tokens)
    for name, value in figures.items():
        print(
            f"{name.replace('_', ' '):<36}{value:>10.2f}" if isinstance(value, float) else f"{name:<36}{value:>10}"
        )
    if given.keep:
        print(f"kept in {write_result('answering', figures)}")
    if given.json:
        print(json.dumps(figures))


def compare(folder: Path, models: int, questions: int, tokens: int) -> dict[str, Any]:
    """Both ways, with the same adapters and questions."""
    store = Store(str(folder / "store"))
    paths = build_example(folder / "example", models * PART, 7)
    train = load(str(paths.train)).records
    asked = load(str(paths.evaluation)).records[:questions]
    tuned = [fine_tune(train[i * PART : (i + 1) * PART], asked[:1], RECIPE, store).adapter for i in range(models)]
    tokenizer = load_tokenizer(RECIPE.model)
    loaded = [_with_adapter(adapter, store) for adapter in tuned]
    for model in loaded:
        generate(model, asked[:2], tokenizer, 8)  # warm
    start = time.perf_counter()
    trainer = [generate(model, asked, tokenizer, tokens) for model in loaded]
    in_trainer = time.perf_counter() - start
    del loaded

    start = time.perf_counter()
    lora = Adapters(RECIPE.lora.rank, ENDPOINT.max_loras)
    with ManagedServer(RECIPE.model, adapters=lora, gpu_memory_share=ENDPOINT.gpu_memory_share) as server:
        starting = time.perf_counter() - start

        def ask(adapter: BlobRef, count: int, longest: int) -> list[str]:
            texts, _ = adapters.answer(
                adapter, asked[:count], ENDPOINT, server.base_url, store, max_tokens=longest
            )
            return texts

        with ThreadPoolExecutor(models) as pool:
            list(pool.map(lambda a: ask(a, 2, 8), tuned))  # warm
            start = time.perf_counter()
            served = list(pool.map(lambda a: ask(a, questions, tokens), tuned))
            on_server = time.perf_counter() - start
    same = [a == b for x, y in zip(trainer, served, strict=True) for a, b in zip(x, y, strict=True)]
    return {
        "models": models,
        "questions": questions,
        "longest_answer_tokens": tokens,
        "seconds_in_the_trainer": in_trainer,
        "seconds_on_the_server": on_server,
        "times_faster_on_the_server": in_trainer / on_server,
        "seconds_to_start_the_server": starting,
        "share_of_equal_answers": sum(same) / len(same),
    }


def _with_adapter(adapter: BlobRef, store: Store) -> Any:
    from peft import PeftModel

    return PeftModel.from_pretrained(load_model(RECIPE), store.get_directory(adapter))


if __name__ == "__main__":
    main()
