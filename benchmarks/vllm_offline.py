"""vLLM's own offline batch, as a process: `benchmarks.llm_batch` runs this file with vLLM's interpreter.

Reads JSON lines from standard input, the first with the engine's arguments, each other with a batch of requests
(`messages`, `max_tokens`, `schema`); answers each with a JSON line on standard output.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any


def run(engine: Any, batch: list[dict[str, Any]]) -> dict[str, float]:
    """One batch: seconds, and tokens read and written."""
    from vllm import SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    settings = [
        SamplingParams(
            temperature=r["temperature"],
            seed=r["seed"],
            max_tokens=r["max_tokens"],
            structured_outputs=StructuredOutputsParams(json=r["schema"]),
        )
        for r in batch
    ]
    start = time.perf_counter()
    outputs = engine.chat([r["messages"] for r in batch], settings, use_tqdm=False)
    return {
        "seconds": time.perf_counter() - start,
        "input_tokens": sum(len(o.prompt_token_ids) for o in outputs),
        "output_tokens": sum(len(o.outputs[0].token_ids) for o in outputs),
    }


def main() -> None:
    """Answers until standard input ends."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print to standard output
    from vllm import LLM

    engine = LLM(**json.loads(sys.stdin.readline()))
    print(json.dumps({"ready": True}), file=replies, flush=True)
    for line in sys.stdin:
        print(json.dumps(run(engine, json.loads(line))), file=replies, flush=True)


if __name__ == "__main__":
    main()
