"""Command line of the example set's builder."""

from __future__ import annotations

import argparse
import json
import sys

from operators.errors import AutoDPError
from operators.example.builder import CORRUPTED, build_example


def main() -> int:
    """Builds the set and prints where it is and how many rows of each kind it has."""
    parser = argparse.ArgumentParser(prog="python -m operators.example", description=build_example.__doc__)
    parser.add_argument("directory")
    parser.add_argument("--rows", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--corrupted", type=float, default=CORRUPTED)
    arguments = parser.parse_args()
    try:
        paths = build_example(arguments.directory, arguments.rows, arguments.seed, arguments.corrupted)
    except AutoDPError as e:
        print(e, file=sys.stderr)
        return 1
    kinds = json.loads(paths.manifest.read_text(encoding="utf-8"))["kinds"]
    print(f"{paths.train}: {arguments.rows} rows; " + ", ".join(f"{n} {k}" for k, n in kinds.items()))
    print(f"{paths.evaluation}: clean, of other terms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
