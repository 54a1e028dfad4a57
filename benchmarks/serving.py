"""What CUDA graphs save a managed vLLM: `python -m benchmarks.serving [--rows N] [--json] [--keep]`.

The same Optimization pass over records of the example set on one server after the other, each started anew: eager
(every kernel launched from Python), with CUDA graphs of the decoding steps, and as vLLM comes (compiled, with
graphs). Told apart: the seconds until the server answers, and the output tokens a second of a warm server with an
empty request cache. A mode that answers faster and starts slower pays from some number of output tokens on. Needs
a GPU.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.llm_batch import WARM, ours
from benchmarks.results import machine, write_result
from operators.config import Endpoint
from operators.data.loading import load
from operators.example import build_example
from operators.llm.vllm import ManagedServer
from operators.models import SMOLLM2

MODES: dict[str, dict[str, Any]] = {
    "eager": {"enforce_eager": True, "compilation_config": None},
    "graphs": {},  # as the product starts it
    "compiled": {"compilation_config": None},
}
BASE = "eager"


def main() -> None:
    """Prints a line a mode, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=400, help="records of a pass")
    parser.add_argument("--passes", type=int, default=2, help="each over records of its own")
    parser.add_argument("--share", type=float, default=0.3, help="of the GPU's memory")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES), help=f"beside {BASE}")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/serving_gpu.json")
    given = parser.parse_args()
    import torch

    if not torch.cuda.is_available():
        raise SystemExit("CUDA graphs need a GPU, and this process sees none")
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        wanted = WARM + given.passes * given.rows
        paths = build_example(Path(name), wanted, 7)
        records = load(str(paths.train)).records[:wanted]
    figures: dict[str, Any] = {"rows_a_pass": given.rows, "passes": given.passes, "modes": {}}
    for mode in dict.fromkeys([BASE, *given.modes]):
        figures["modes"][mode] = found = measure(records, given.rows, given.share, MODES[mode])
        print(f"{mode:10}" + ", ".join(f"{k.replace('_', ' ')} {v:.2f}" for k, v in found.items()), flush=True)
    compare(figures["modes"])
    for mode, found in figures["modes"].items():
        print(f"{mode:10}{found['times_faster']:.2f} x {BASE}, pays from {found['pays_from_tokens']} tokens on")
    if given.keep:
        print(f"kept in {write_result('serving', figures)}")
    if given.json:
        print(json.dumps(figures))


def measure(records: list[Any], rows: int, share: float, engine: dict[str, Any]) -> dict[str, Any]:
    """One mode: seconds to start, and the rate of its passes."""
    # vLLM keeps what it compiled; every mode starts as on a fresh machine.
    shutil.rmtree(Path.home() / ".cache" / "vllm" / "torch_compile_cache", ignore_errors=True)
    start = time.perf_counter()
    with ManagedServer(SMOLLM2, gpu_memory_share=share, engine=engine) as server:
        starting = time.perf_counter() - start
        endpoint = Endpoint(managed=True)
        ours("rewrite_answer", records[:WARM], endpoint, server.base_url)
        parts = [records[i : i + rows] for i in range(WARM, len(records), rows)]
        passes = [ours("rewrite_answer", part, endpoint, server.base_url) for part in parts]
    tokens, seconds = (sum(p[k] for p in passes) for k in ("output_tokens", "seconds"))
    return {
        "seconds_to_start": starting,
        "output_tokens": tokens,
        "seconds": seconds,
        "output_tokens_a_second": tokens / seconds,
    }


def compare(modes: dict[str, dict[str, Any]]) -> None:
    """Adds to every mode how much faster it answers than BASE, and from how many output tokens on that makes up
    for its slower start: None where it never does."""
    base = modes[BASE]
    for found in modes.values():
        found["times_faster"] = found["output_tokens_a_second"] / base["output_tokens_a_second"]
        saved = 1 / base["output_tokens_a_second"] - 1 / found["output_tokens_a_second"]
        later = found["seconds_to_start"] - base["seconds_to_start"]
        found["pays_from_tokens"] = round(max(0.0, later) / saved) if saved > 0 else None


if __name__ == "__main__":
    main()
