"""One million short records through the Cleaning chain: how time and peak memory grow with the number of records.

Each size runs in a process of its own, so that its peak memory is its own. The records are read from JSON lines
into memory, as a team's job does, and go through every operator of the default chain but `answer_mismatch`, which
embeds each text (about 45 a second on two cores) and needs no other run to know that. They are made here: each
is one question and one answer of 20 to 40 words from the real data's own sentences, drawn by a seed; one in ten is
a copy of an earlier record with a word changed, one in twenty has a contact, markup or a stutter.

    python -m benchmarks.scale [--sizes 10000 30000 100000 300000 1000000] [--json] [--keep]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.results import RESULTS, write_result
from operators.config import DEFAULT_CHAINS
from operators.data.records import Message, Record
from operators.strategist.space import Team
from operators.teams.base import Context
from operators.teams.registry import build
from operators.text.sentences import split_sentences

LEFT_OUT = ("answer_mismatch",)
HELD_OUT = 300
Figures = dict[str, Any]


def rows(n: int, sentences: list[str], seed: int = 0) -> Iterator[tuple[str, str]]:
    """Questions and answers."""
    rng = Random(seed)
    recent: list[tuple[str, str]] = []
    for _ in range(n):
        kind = rng.random()
        if recent and kind < 0.1:
            question, answer = rng.choice(recent)
            words = answer.split(" ")
            words[rng.randrange(len(words))] = "almost"
            yield question, " ".join(words)
            continue
        words = " ".join(rng.choice(sentences) for _ in range(3)).split()
        question = "What about " + " ".join(rng.choice(sentences).split()[:6]) + "?"
        answer = " ".join(words[: rng.randint(20, 40)]).rstrip(".,;:") + "."
        if kind < 0.12:
            answer += " Questions? Mail info@example.org or call (555) 555-0123."
        elif kind < 0.14:
            answer = f"<p>{answer}</p>&nbsp;<br/>"
        elif kind < 0.15:
            answer += " and so on" * 6 + "."
        recent.append((question, answer))
        if len(recent) > 10_000:
            recent.pop(rng.randrange(len(recent)))
        yield question, answer


def measure(source: Path) -> Figures:
    """Reads and cleans the file's records; run in a process of its own."""
    chain = [s for s in DEFAULT_CHAINS[Team.CLEANING] if s.name not in LEFT_OUT]
    start = time.perf_counter()
    spent = time.process_time()
    with source.open(encoding="utf-8") as lines:
        records = [Record.from_json(line) for line in lines]
    figures: Figures = {"rows": len(records), "read_s": round(time.perf_counter() - start, 2)}
    figures["read_peak_gb"] = _peak()
    held_out = [
        Record(f"e{i}", (Message("user", q), Message("assistant", a)))
        for i, (q, a) in enumerate(rows(HELD_OUT, [records[k].answer for k in range(0, 2000, 2)], seed=1))
    ]
    context = Context(held_out=held_out)
    reports = []
    for step in chain:
        before = time.process_time()
        records, report = build(step.name, step.params).run(records, context)
        reports.append(
            {
                "operator": report.operator,
                "seconds": report.seconds,
                "cpu_seconds": round(time.process_time() - before, 2),
                "changed": report.changed,
                "dropped": report.dropped,
                "peak_gb": _peak(),
            }
        )
    figures |= {
        "rows_out": len(records),
        "seconds": round(time.perf_counter() - start, 2),
        "cpu_seconds": round(time.process_time() - spent, 2),
        "peak_gb": _peak(),
        "operators": reports,
    }
    return figures


def _peak() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3)


def run_size(n: int, data: Path) -> Figures:
    """Writes n records and measures them in a fresh process."""
    texts = [json.loads(line)["answer"] for line in data.read_text(encoding="utf-8").splitlines()]
    sentences = [s.strip() for t in texts for s in split_sentences(t) if 6 <= len(s.split()) <= 30]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "records.jsonl"
        with source.open("w", encoding="utf-8") as out:
            for i, (question, answer) in enumerate(rows(n, sentences)):
                record = Record(f"r{i}", (Message("user", question), Message("assistant", answer)))
                out.write(record.to_json() + "\n")
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.scale", "--measure", str(source)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"},
        )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def growth(runs: list[Figures]) -> float:
    """The largest factor by which processor time grew faster than n log n between the first size and another."""
    unit = runs[0]["cpu_seconds"] / _n_log_n(runs[0])
    return round(max(r["cpu_seconds"] / _n_log_n(r) / unit for r in runs), 3)


def plot(runs: list[Figures], path: Path) -> None:
    """Processor seconds and peak memory over the number of records, on logarithmic axes, with n log n from the
    first size and the limit of 3 GB; a plain SVG, since a picture of plotly's needs a browser."""
    first = runs[0]
    guide = [first["cpu_seconds"] * _n_log_n(r) / _n_log_n(first) for r in runs]
    left = _panel("processor seconds (dotted: n log n)", 0, runs, [r["cpu_seconds"] for r in runs], guide)
    right = _panel("peak memory, GB (dotted: 3 GB)", 400, runs, [r["peak_gb"] for r in runs], [3.0] * len(runs))
    path.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="800" height="300" font-family="sans-serif" font-size="11">'
        f'<rect width="800" height="300" fill="white"/>{left}{right}</svg>\n',
        encoding="utf-8",
    )


def _panel(title: str, x0: int, runs: list[Figures], values: list[float], guide: list[float]) -> str:
    low, high = math.log10(min(values + guide)) - 0.1, math.log10(max(values + guide)) + 0.1
    first, last = (math.log10(runs[k]["rows"]) for k in (0, -1))

    def at(n: int, value: float) -> tuple[float, float]:
        across = (math.log10(n) - first) / max(last - first, 1e-9)
        return x0 + 60 + 300 * across, 255 - 210 * (math.log10(value) - low) / (high - low)

    def line(ys: list[float], style: str) -> str:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(r["rows"], v) for r, v in zip(runs, ys, strict=True)))
        return f'<polyline points="{points}" fill="none" {style}/>'

    parts = [
        f'<text x="{x0 + 60}" y="25" font-size="13">{title}</text>',
        line(values, 'stroke="#06c" stroke-width="2"'),
    ]
    parts.append(line(guide, 'stroke="#888" stroke-dasharray="3 4"'))
    for r, v in zip(runs, values, strict=True):
        x, y = at(r["rows"], v)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#06c"/>')
        parts.append(f'<text x="{x:.1f}" y="{y - 8:.1f}" text-anchor="middle">{v:g}</text>')
        parts.append(f'<text x="{x:.1f}" y="275" text-anchor="middle">{r["rows"]:,}</text>')
    return "".join(parts)


def _n_log_n(run: Figures) -> float:
    return float(run["rows"] * math.log(run["rows"]))


def main() -> None:
    """Measures all sizes and prints a line for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/medquad_4k.jsonl"))
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 30_000, 100_000, 300_000, 1_000_000])
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object at the end")
    parser.add_argument(
        "--keep", action="store_true", help="write results/scale.json and the plot; sizes kept there stay"
    )
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return
    kept = RESULTS / "scale.json"
    print(f"{'records':>10}{'left':>10}{'seconds':>10}{'cpu s':>9}{'peak GB':>9}")
    runs = []
    for n in arguments.sizes:
        run = run_size(n, arguments.data)
        runs.append(run)
        print(
            f"{run['rows']:>10,}{run['rows_out']:>10,}{run['seconds']:>10.1f}{run['cpu_seconds']:>9.1f}"
            f"{run['peak_gb']:>9.2f}",
            flush=True,
        )
    if arguments.keep and kept.exists():  # sizes measured before, in a run of their own, stay
        before = json.loads(kept.read_text(encoding="utf-8"))["figures"]["runs"]
        runs = sorted([*runs, *(r for r in before if r["rows"] not in arguments.sizes)], key=lambda r: r["rows"])
    figures = {"runs": runs, "faster_than_n_log_n": growth(runs), "left_out": list(LEFT_OUT)}
    print(f"processor time grew {figures['faster_than_n_log_n']}x as fast as n log n")
    if arguments.keep:
        write_result(kept.stem, figures)
        plot(runs, RESULTS / "scale.svg")
    if arguments.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
