"""Many Parquet files on Ray Data: rows a second with one and two workers, and memory over the size of the set.

Each figure comes from a process and a local Ray of its own, so that peak memory is its own; workers have run a few
small files before the clock starts. The records are those of `benchmarks.scale`, in files of
`--rows-per-file` rows. They go through the operators of the default Cleaning chain that judge each record alone
(`strip_markup` without the look at the set's style), 300 evaluation records among the context.

    python -m benchmarks.scale_out [--sizes 100000 2000000] [--rows-per-file 10000] [--json] [--keep]

Two workers need two free cores: on a machine that does other work as well, the ratio tells about that work. What
the cores themselves allow is measured beside it: the same work in one and in two plain processes, without Ray.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.results import write_result
from benchmarks.scale import HELD_OUT, rows
from operators.config import DEFAULT_CHAINS, Cluster
from operators.data.loading import describe
from operators.data.records import Message, Record
from operators.data.shards import Shard, find_shards
from operators.data.store import Store
from operators.models import MINILM, SMOLLM2
from operators.processing import TeamContext
from operators.scale_out import ShardJob, process_shard
from operators.strategist.space import Team
from operators.teams.base import OperatorSpec
from operators.teams.registry import build
from operators.text.sentences import split_sentences

WARM_UP_ROWS, WARM_UP_FILES = 200, 8
Figures = dict[str, Any]
Spread = Callable[[Callable[[Shard], tuple[int, int, float]], Sequence[Shard]], Iterable[tuple[int, int, float]]]
"""Runs the function on every shard, several at a time."""


def chain() -> list[OperatorSpec]:
    """The operators of the default Cleaning chain that judge each record alone."""
    params = {"strip_markup": {"markdown": "none"}}
    made = [build(s.name, {**s.params, **params.get(s.name, {})}) for s in DEFAULT_CHAINS[Team.CLEANING]]
    return [operator.spec for operator in made if operator.judges_alone()]


def process_and_weigh(job: ShardJob, shard: Shard) -> tuple[int, int, float]:
    """In a worker: its process id, the rows that were left, and the peak memory of the process in GB."""
    done = process_shard(job, shard)
    return os.getpid(), done.rows_out, _peak()


def measure(folder: Path, workers: int, plain: bool) -> Figures:
    """Processes the files below `folder/set`, after those below `folder/warm`, on Ray or without."""
    with in_processes(workers) if plain else on_ray(workers) as spread:
        return _measure(folder, workers, spread)


@contextmanager
def on_ray(workers: int) -> Iterator[Spread]:
    """As `process_dataset` does it."""
    from operators.ray_data import map_each

    cluster = Cluster(num_cpus=workers)
    yield lambda work, shards: map_each(work, shards, size=lambda s: s.rows, cluster=cluster, workers=workers)


@contextmanager
def in_processes(workers: int) -> Iterator[Spread]:
    """The control: what the cores allow."""
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield lambda work, shards: pool.map(work, shards)


def _measure(folder: Path, workers: int, spread: Spread) -> Figures:
    from benchmarks.scale_out import process_and_weigh as work  # not of __main__, which workers do not have

    output = Path(tempfile.mkdtemp(dir=folder))
    figures: Figures = {"workers": workers}
    for name in ("warm", "set"):
        shards = find_shards(str(folder / name))
        job = ShardJob(
            source=describe([s.uri for s in shards]),
            specs=tuple(chain()),
            context=_context(folder),
            left_out="question",
            store=str(folder / "store"),
            output=str(output / name),
            rows_at_once=4096,
        )
        start = time.perf_counter()
        done = list(spread(functools.partial(work, job), shards))
        seconds = time.perf_counter() - start
        peaks: dict[int, float] = {}
        for process, _, peak in done:
            peaks[process] = max(peak, peaks.get(process, 0.0))
        n = sum(s.rows for s in shards)
        figures |= {
            "rows": n,
            "files": len(shards),
            "rows_out": sum(left for _, left, _ in done),
            "seconds": round(seconds, 2),
            "rows_per_second": round(n / seconds, 1),
            "worker_processes": len(peaks),
            "worker_peak_gb": max(peaks.values()),
            "driver_peak_gb": _peak(),
        }
    return figures


def _context(folder: Path) -> TeamContext:
    lines = (folder / "held_out.jsonl").read_text(encoding="utf-8").splitlines()
    held_out = Store(str(folder / "store")).put_records(map(Record.from_json, lines))
    return TeamContext(
        seed=0,
        target_model=SMOLLM2,
        target_model_sha256="",
        embedder=MINILM,
        embedder_sha256="",
        held_out=held_out,
    )


def _peak() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3)


def make(folder: Path, n: int, rows_per_file: int, data: Path) -> None:
    """Writes n records in files, a few small ones to warm up with, and the evaluation records."""
    texts = [json.loads(line)["answer"] for line in data.read_text(encoding="utf-8").splitlines()]
    sentences = [s.strip() for t in texts for s in split_sentences(t) if 6 <= len(s.split()) <= 30]
    _write(folder / "set", n, rows_per_file, sentences, seed=0)
    _write(folder / "warm", WARM_UP_ROWS * WARM_UP_FILES, WARM_UP_ROWS, sentences, seed=2)
    with (folder / "held_out.jsonl").open("w", encoding="utf-8") as out:
        for i, (q, a) in enumerate(rows(HELD_OUT, sentences, seed=1)):
            out.write(Record(f"e{i}", (Message("user", q), Message("assistant", a))).to_json() + "\n")


def _write(folder: Path, n: int, rows_per_file: int, sentences: list[str], seed: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True)
    made = rows(n, sentences, seed)
    for k in range(0, n, rows_per_file):
        count = min(rows_per_file, n - k)
        pairs = [next(made) for _ in range(count)]
        columns = {
            "id": [f"r{k + i}" for i in range(count)],
            "question": [q for q, _ in pairs],
            "answer": [a for _, a in pairs],
        }
        pq.write_table(pa.table(columns), folder / f"part-{k // rows_per_file:05d}.parquet")


def run(folder: Path, workers: int, *, plain: bool = False) -> Figures:
    """`measure` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scale_out", "--measure", str(folder), "--workers", str(workers)]
    done = subprocess.run(
        [*command, *(["--plain"] if plain else [])],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"},
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def speedup(one: Figures, two: Figures) -> float:
    """Rows a second of the second run over those of the first."""
    return round(two["rows_per_second"] / one["rows_per_second"], 2)


def shown(figures: Figures, what: str = "") -> Figures:
    """Prints a line."""
    print(
        f"{figures['rows']:>10,}{figures['workers']:>9}{figures['seconds']:>9.1f}{figures['rows_per_second']:>9.0f}"
        f"{figures['worker_peak_gb']:>11.2f}{figures['driver_peak_gb']:>11.2f}  {what}",
        flush=True,
    )
    return figures


def main() -> None:
    """Measures and prints a line for each run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_out")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/medquad_4k.jsonl"))
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 2_000_000], help="for the memory")
    parser.add_argument("--ratio-rows", type=int, default=600_000, help="records, for one worker against two")
    parser.add_argument("--rows-per-file", type=int, default=10_000)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=2, help=argparse.SUPPRESS)
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object at the end")
    parser.add_argument("--keep", action="store_true", help="write results/scale_out.json")
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.workers, arguments.plain)))
        return
    print(f"{'records':>10}{'workers':>9}{'seconds':>9}{'rows/s':>9}{'worker GB':>11}{'driver GB':>11}")
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), arguments.ratio_rows, arguments.rows_per_file, arguments.data)
        one, two = (shown(run(Path(folder), n)) for n in (1, 2))
        plain_one, plain_two = (shown(run(Path(folder), n, plain=True), "without Ray") for n in (1, 2))
    sizes = []
    for n in arguments.sizes:
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), n, arguments.rows_per_file, arguments.data)
            sizes.append(shown(run(Path(folder), 2)))
    figures = {
        "one_worker": one,
        "two_workers": two,
        "two_workers_over_one": speedup(one, two),
        "two_plain_processes_over_one": speedup(plain_one, plain_two),
        "sizes": sizes,
        "worker_peak_last_over_first": round(sizes[-1]["worker_peak_gb"] / sizes[0]["worker_peak_gb"], 2),
        "operators": [spec.name for spec in chain()],
    }
    print(f"two workers against one: {figures['two_workers_over_one']}x the rows a second")
    print(f"two plain processes against one: {figures['two_plain_processes_over_one']}x")
    print(f"peak memory of a worker, last size against the first: {figures['worker_peak_last_over_first']}x")
    if arguments.keep:
        write_result("scale_out", figures)
    if arguments.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
