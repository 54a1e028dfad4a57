"""From an object's upload to its result: `python -m benchmarks.upload [--rows N] [--burst N] [--json] [--keep]`.

Everything is real and on this machine: SeaweedFS tells the receiver, the receiver Prefect's server, an automation
starts a run, a process worker runs it with Ray. The recipe is the default cleaning chain with quality flags, and
the drift check is on. Timed from the PUT to the moment the processed object can be read. The first upload finds
no embedding in the cache; the second is the same records again under another name.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from object_store import BUCKET
from site_of_services import Site, site
from upload_recipes import publish_recipe

from benchmarks.results import write_result
from operators.config import DEFAULT_CHAINS, Targeting
from operators.example import build_example
from operators.strategist.space import Team


def main() -> None:
    """Prints a table, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--burst", type=int, default=20, help="uploads at once, of 50 records each")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/upload.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own_cache(folder / "cache")
        lines = build_example(folder / "example", arguments.rows + 400).train.read_text().splitlines(keepends=True)
        random.Random(0).shuffle(lines)
        old, new = lines[:400], lines[400 : 400 + arguments.rows]
        # Only the old records are embedded here; the worker meets the new ones for the first time.
        run = publish_recipe(
            folder / "run",
            "example",
            [json.loads(line) for line in old],
            {Team.CLEANING: {step.name: dict(step.params) for step in DEFAULT_CHAINS[Team.CLEANING]}},
            Targeting(),
        )
        with site(folder, {"on_upload": {"cluster": {"num_cpus": 2}}}) as here:
            os.environ.update(here.access)
            from operators.approvals import approve

            approve(here.store, "example", str(run), by="the benchmark")
            figures: dict[str, Any] = {"rows": len(new)}
            figures["cold_seconds"] = upload(here, "cold.jsonl", new)
            figures["warm_seconds"] = upload(here, "warm.jsonl", new)
            figures["rows_out"] = len(here.fs.cat_file(f"{BUCKET}/processed/example/cold.jsonl").splitlines())
            if arguments.burst:
                figures["burst"] = arguments.burst
                figures["burst_seconds"] = burst(here, new, arguments.burst)
    for what, value in figures.items():
        print(
            f"{what.replace('_', ' '):<16} {value:>8.1f}" if isinstance(value, float) else f"{what:<16} {value:>8}"
        )
    if arguments.keep:
        print(f"kept in {write_result('upload', figures)}")
    if arguments.json:
        print(json.dumps(figures))


def own_cache(folder: Path) -> None:
    """A cache in which no text has been embedded yet; the converted models are this machine's."""
    here = Path(os.environ.get("AUTODP_CACHE", ".autodp/cache")).absolute()
    folder.mkdir()
    if (here / "models").exists():
        (folder / "models").symlink_to(here / "models")
    os.environ["AUTODP_CACHE"] = str(folder)


def upload(here: Site, name: str, lines: list[str]) -> float:
    """Seconds from the upload to its result."""
    start = time.monotonic()
    here.fs.pipe_file(f"{BUCKET}/uploads/example/{name}", "".join(lines).encode())
    here.wait_for(lambda: here.fs.exists(f"{BUCKET}/processed/example/{name}"), 600, every=0.2)
    return round(time.monotonic() - start, 1)


def burst(here: Site, lines: list[str], count: int) -> float:
    """Seconds from the first of `count` uploads to the last result."""
    start = time.monotonic()
    for i in range(count):
        part = lines[50 * i % len(lines) :][:50]
        here.fs.pipe_file(f"{BUCKET}/uploads/example/burst-{i:03d}.jsonl", "".join(part).encode())
    here.wait_for(lambda: len(here.fs.glob(f"{BUCKET}/processed/example/burst-*.jsonl")) == count, 1800, every=0.5)
    return round(time.monotonic() - start, 1)


if __name__ == "__main__":
    main()
