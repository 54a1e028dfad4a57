"""Time and memory of sampling from 10,000 to 1,000,000 vectors: `python -m benchmarks.sampling_scale [--json]`.

Each size is a process of its own, whose peak memory includes the vectors (float32, 384 dimensions). The plot is
kept beside the figures.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np

from benchmarks.results import RESULTS, write_result
from operators.sampling import sample

DIMENSIONS = 384
SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)


def main() -> None:
    """Runs every size, prints a table, keeps figures and plot, and with --json prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--one", type=int, help="measure one size in this process, and print it as JSON")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/sampling_scale.{json,svg}")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one)))
        return
    sizes = []
    print(f"{'rows':>10} {'seconds':>9} {'us a row':>9} {'peak GB':>8} {'vectors GB':>11}")
    for rows in sorted(arguments.rows):
        command = [sys.executable, "-m", "benchmarks.sampling_scale", "--one", str(rows)]
        found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        sizes.append(found)
        print(
            f"{rows:>10,} {found['seconds']:9.1f} {1e6 * found['seconds'] / rows:9.1f} "
            f"{found['peak_gb']:8.2f} {found['vectors_gb']:11.2f}"
        )
    exponents = growth(sizes)
    figures = {"dimensions": DIMENSIONS, "fraction": 0.2, "sizes": sizes, "growth": exponents}
    print(f"grows with rows to the power {exponents['seconds']:.2f} in time, {exponents['gb']:.2f} in memory")
    if arguments.keep:
        print(f"kept in {write_result('sampling_scale', figures)}")
        plot(sizes)
    if arguments.json:
        print(json.dumps(figures))


def measure(rows: int) -> dict[str, float]:
    """Seconds and peak memory of herding 20 % of unit vectors in 200 clusters, 40 % of them flagged."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(200, DIMENSIONS)).astype(np.float32)
    embeddings = np.empty((rows, DIMENSIONS), np.float32)
    for start in range(0, rows, 10_000):
        part = embeddings[start : start + 10_000]
        part[:] = centres[rng.integers(0, 200, len(part))] + rng.standard_normal(part.shape, np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    flags = (rng.random(rows) < 0.4).tolist()
    begun, used = time.perf_counter(), time.process_time()
    sample(embeddings, flags, fraction=0.2, minimum=1)
    return {
        "rows": rows,
        "seconds": time.perf_counter() - begun,
        "cpu_seconds": time.process_time() - used,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "vectors_gb": embeddings.nbytes / 1e9,
    }


def growth(sizes: list[dict[str, float]]) -> dict[str, float]:
    """The exponents of least-squares fits of log time, and of log memory less what an empty process takes (taken
    from the smallest size), on log rows: 1 is linear."""
    if len(sizes) < 3:
        return {"seconds": float("nan"), "gb": float("nan")}
    log = np.log([s["rows"] for s in sizes])
    base = sizes[0]["peak_gb"] - sizes[0]["vectors_gb"]
    memory = [max(s["peak_gb"] - base, s["vectors_gb"]) for s in sizes]
    return {
        "seconds": float(np.polyfit(log, np.log([s["seconds"] for s in sizes]), 1)[0]),
        "gb": float(np.polyfit(log, np.log(memory), 1)[0]),
    }


def plot(sizes: list[dict[str, Any]]) -> None:
    """Writes results/sampling_scale.svg: seconds and peak memory against rows, on logarithmic axes."""
    from matplotlib.figure import Figure

    rows = [s["rows"] for s in sizes]
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    for place, (key, unit) in enumerate((("seconds", "seconds"), ("peak_gb", "peak memory, GB")), 1):
        axes = figure.add_subplot(1, 2, place)
        values = [s[key] for s in sizes]
        axes.loglog(rows, values, "o-", label="measured")
        axes.loglog(rows, [values[-1] * r / rows[-1] for r in rows], ":", color="grey", label="linear")
        axes.set_xlabel("rows of 384 dimensions")
        axes.set_ylabel(unit)
        axes.grid(alpha=0.3)
        axes.legend()
    # Without a date and random ids the same figures give the same file.
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": "sampling_scale"}):
        figure.savefig(RESULTS / "sampling_scale.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
