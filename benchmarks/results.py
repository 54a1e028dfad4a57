"""Keeps a benchmark's figures under benchmarks/results/, with what is needed to read them later."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def machine() -> str:
    """This machine in words: cores, memory, processor, and the GPU where there is one."""
    import torch

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{os.cpu_count()} CPU cores ({platform.machine()}), {memory:.0f} GiB memory, {gpu}"


def commit() -> str:
    """The commit measured; "+" behind it where tracked files differ from it. $AUTODP_COMMIT names it where the
    code was copied to a machine without its history."""
    if given := os.environ.get("AUTODP_COMMIT"):
        return given

    def git(*args: str) -> str:
        return subprocess.run(["git", *args], capture_output=True, text=True, check=True).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")


def write_result(name: str, figures: dict[str, Any], *, note: str = "") -> Path:
    """Writes `results/<name>.json`, or `<name>_gpu.json` where this process has a GPU, so that figures of both
    stand side by side: the figures with date, machine, commit and load average at the end."""
    import torch

    RESULTS.mkdir(exist_ok=True)
    if torch.cuda.is_available():
        name += "_gpu"
    about = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "commit": commit(),
        "load_average_1min": round(os.getloadavg()[0], 1),
    }
    if note:
        about["note"] = note
    path = RESULTS / f"{name}.json"
    kept = {"benchmark": name, **about, "figures": figures}
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return path
