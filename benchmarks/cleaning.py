"""The Cleaning chain beside py-data-juicer's matching operators: rows a second, and who drops which rows.

Both sides get the same rows as text already in memory, run in a process and with a thread of their own, one after
the other in turns, and are warmed up on 50 rows first. Seconds are of the operators alone, without imports and
reading. Matching operators: encoding, HTML, links, e-mail and IP addresses, white space, special characters,
length, repetition, MinHash (5-grams, 0.7, 128 permutations, the first of a group stays). The default chain
is timed apart: it does more (Markdown, telephone and identity numbers, page furniture, endings), without
`answer_mismatch`, which embeds every text and so takes as long as the embedding model needs.

py-data-juicer pins what this project does not want, so it lives in an environment of its own, made on first use:

    python -m benchmarks.cleaning [--data FILE] [--peer .autodp/data-juicer/bin/python] [--keep] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS, write_result
from operators.config import DEFAULT_CHAINS
from operators.data.records import Message, Record
from operators.strategist.space import Team
from operators.teams.base import Context
from operators.teams.registry import build

PACKAGES = ("py-data-juicer==1.6.1", "aiohttp", "scipy")
SLOW = "answer_mismatch"
MATCHING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("fix_text", {}),
    ("strip_markup", {"markdown": "none", "boilerplate": False}),
    ("mask_contacts", {"kinds": ["email", "ip"], "action": "remove", "lines": False}),
    ("special_characters", {}),
    ("length_bounds", {}),
    ("repetition", {"action": "drop"}),
    ("near_duplicates", {"ngram": 5, "question_similarity": 0, "keep": "first"}),
)
DEFAULT = tuple((s.name, s.params) for s in DEFAULT_CHAINS[Team.CLEANING])
Figures = dict[str, Any]


def ours(source: Path, target: Path, chain: tuple[tuple[str, dict[str, Any]], ...]) -> None:
    """Runs a chain in this process; the same report as `benchmarks.cleaning_peer` writes."""
    rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    records = [Record(r["id"], (Message("user", r["question"]), Message("assistant", r["answer"]))) for r in rows]
    warm = records[:50]
    for name, params in chain:
        warm, _ = build(name, params).run(warm, Context())
    seconds, processor, dropped = {}, {}, {}
    for name, params in chain:
        operator = build(name, params)
        start, spent = time.perf_counter(), time.process_time()
        left, _ = operator.run(records, Context())
        seconds[name], processor[name] = time.perf_counter() - start, time.process_time() - spent
        kept = {r.id for r in left}
        dropped[name] = [r.id for r in records if r.id not in kept]
        records = left
    texts = {r.id: r.text for r in records}
    report = {"seconds": seconds, "cpu_seconds": processor, "dropped": dropped, "texts": texts}
    target.write_text(json.dumps(report), encoding="utf-8")


def in_turns(source: Path, peer: Path, repeats: int) -> dict[str, Figures]:
    """Both sides `repeats` times, in turns, each run in a process of its own; of each the fastest run."""
    one_thread = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "RAYON_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    here = [sys.executable, "-m", "benchmarks.cleaning", "--run"]
    commands = {
        "ours": [*here, "matching"],
        "data_juicer": [str(peer), str(Path(__file__).with_name("cleaning_peer.py"))],
        "default_chain": [*here, "default"],
    }
    best: dict[str, Figures] = {}
    for _ in range(repeats):
        for name, command in commands.items():
            target = source.with_name(f"{name}.json")
            subprocess.run([*command, str(source), str(target)], check=True, capture_output=True, env=one_thread)
            run = json.loads(target.read_text(encoding="utf-8"))
            if name not in best or _total(run, "cpu_seconds") < _total(best[name], "cpu_seconds"):
                best[name] = run
    return best


def differences(a: Figures, b: Figures, rows: list[dict[str, str]]) -> Figures:
    """Which of our operators dropped what Data-Juicer keeps, and the other way round, and of the rows that one
    side's MinHash removes alone, how many have a true near-duplicate among all rows."""
    mine, peers = ({i: op for op, ids in run["dropped"].items() for i in ids} for run in (a, b))
    minhash = {"ours": "near_duplicates", "data_juicer": "document_minhash_deduplicator"}
    alone = {
        "ours": [i for i, op in mine.items() if op == minhash["ours"] and i not in peers],
        "data_juicer": [i for i, op in peers.items() if op == minhash["data_juicer"] and i not in mine],
    }
    return {
        "kept_by_both": len(a["texts"].keys() & b["texts"].keys()),
        "only_ours_drops": dict(Counter(op for i, op in mine.items() if i not in peers)),
        "only_data_juicer_drops": dict(Counter(op for i, op in peers.items() if i not in mine)),
        "both_drop": len(mine.keys() & peers.keys()),
        "alone_removed_as_duplicates": {
            side: {"rows": len(ids), "with_a_true_near_duplicate": _true_duplicates(rows, ids)}
            for side, ids in alone.items()
        },
    }


def _true_duplicates(rows: list[dict[str, str]], ids: list[str]) -> int:
    """How many of the rows have another row with exact Jaccard similarity >= 0.7, over 5-grams of the words
    between spaces, in small letters (as Data-Juicer cuts them)."""
    sets = {r["id"]: _shingles(r["text"]) for r in rows}
    having: dict[tuple[str, ...], list[str]] = {}
    for key, shingles in sets.items():
        for s in shingles:
            having.setdefault(s, []).append(key)
    found = 0
    for key in ids:
        common = Counter(other for s in sets[key] for other in having[s] if other != key)
        found += any(n / (len(sets[key]) + len(sets[other]) - n) >= 0.7 for other, n in common.items())
    return found


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4))}


def environment(python: Path) -> None:
    """Makes the peer's environment where it is missing."""
    if not python.exists():
        folder = python.parent.parent
        subprocess.run([sys.executable, "-m", "uv", "venv", "--python", "3.11", str(folder)], check=True)
        subprocess.run(
            [sys.executable, "-m", "uv", "pip", "install", "--python", str(python), *PACKAGES], check=True
        )


def main() -> None:
    """Runs the comparison and prints it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cleaning")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/medquad_4k.jsonl"))
    parser.add_argument("--peer", type=Path, default=Path(".autodp/data-juicer/bin/python"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--run", nargs=3, metavar=("CHAIN", "ROWS", "OUT"), help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object at the end")
    parser.add_argument("--keep", action="store_true", help="write results/cleaning.json")
    arguments = parser.parse_args()
    if arguments.run:
        chain = MATCHING if arguments.run[0] == "matching" else tuple(s for s in DEFAULT if s[0] != SLOW)
        ours(Path(arguments.run[1]), Path(arguments.run[2]), chain)
        return
    environment(arguments.peer)
    rows = [
        {"id": str(i), "question": r["question"], "answer": r["answer"], "text": f"{r['question']}\n{r['answer']}"}
        for i, r in enumerate(map(json.loads, arguments.data.read_text(encoding="utf-8").splitlines()))
    ]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "rows.jsonl"
        source.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
        best = in_turns(source, arguments.peer, arguments.repeats)
    figures: Figures = {
        "data": arguments.data.stem,
        "rows": len(rows),
        "sides": {name: _side(run, len(rows)) for name, run in best.items()},
        "default_chain_leaves_out": SLOW,
        "speedup": round(_total(best["data_juicer"]) / _total(best["ours"]), 2),
        "speedup_cpu": round(_total(best["data_juicer"], "cpu_seconds") / _total(best["ours"], "cpu_seconds"), 2),
        "differences": differences(best["ours"], best["data_juicer"], rows),
    }
    _print(figures)
    if arguments.keep:
        print(f"kept in {write_result('cleaning', figures).relative_to(RESULTS.parent.parent)}")
    if arguments.json:
        print(json.dumps(figures))


def _total(run: Figures, what: str = "seconds") -> float:
    return float(sum(run[what].values()))


def _side(run: Figures, rows: int) -> Figures:
    return {
        "rows_per_s": round(rows / _total(run)),
        "seconds": round(_total(run), 2),
        "cpu_seconds": round(_total(run, "cpu_seconds"), 2),
        "rows_left": len(run["texts"]),
        "operators": {
            op: {
                "seconds": round(s, 3),
                "cpu_seconds": round(run["cpu_seconds"][op], 3),
                "dropped": len(run["dropped"][op]),
            }
            for op, s in run["seconds"].items()
        },
    }


def _print(figures: Figures) -> None:
    for name, side in figures["sides"].items():
        print(
            f"\n{name}: {side['rows_per_s']:,} rows/s, {side['seconds']} s ({side['cpu_seconds']} s of processor "
            f"time), {side['rows_left']:,} of {figures['rows']:,} rows left"
        )
        for op, f in side["operators"].items():
            print(f"  {op:34}{f['seconds']:>9.2f} s{f['cpu_seconds']:>9.2f} s cpu{f['dropped']:>7} dropped")
    print(f"\nspeed-up {figures['speedup']}x by the clock, {figures['speedup_cpu']}x in processor time")
    print(json.dumps(figures["differences"], indent=1))


if __name__ == "__main__":
    main()
