"""What Cleaning does to the example set's corrupted and clean records, with and without the classifier's flags.

The labels beside the set say which record was spoiled and how; they are read here only, to count. A corrupted
record is dealt with where it is removed, or repaired in the strict sense of `repaired`. A clean record is kept
where it is still there; how many of those were changed is counted apart.

Records with a missing question or answer can be filled by a Generation before Cleaning; what is still incomplete
then, Cleaning drops. The shares are given with them and without them, and once for a chain that keeps them.

    python -m benchmarks.cleaning_quality [--rows 1200] [--seeds 7 8 9] [--json]
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.results import write_result
from operators.config import DEFAULT_CHAINS, Step
from operators.data.records import Message, Record
from operators.example import build_example
from operators.example.builder import QUESTIONS
from operators.example.terms import Term, ontology_file, usable_terms
from operators.record_vectors import embed_records
from operators.strategist.space import Team
from operators.targeting import flag_records
from operators.teams.base import Context
from operators.teams.registry import build
from operators.text.sentences import is_complete

ALIKE = 0.95
"""Similarity from which a repaired text counts as the original: Ratcliff/Obershelp, over characters."""
LEFT_TO_GENERATION = ("missing_answer", "missing_question")
_RESIDUE = {
    "markup": re.compile(r"<[a-z/!]|https?:|www\.|&\w+;|\]\(|\*\*|^#", re.IGNORECASE | re.MULTILINE),
    "special_characters": re.compile(r"[★�¶▒\u200b]|##|~~|\|\||@@|•|Ã|â€|Â|\*\*|\^\^|\\x|%%"),
    "contacts": re.compile(r"@|\b555\b|192\.0|\[(?:EMAIL|PHONE|IP)\]"),
}
Figures = dict[str, Any]


def repaired(kind: str, record: Record, term: Term) -> bool:
    """Whether a spoiled record that was kept is sound again.

    None of the defect's own signs may be left, its question must be the one it was asked with (any of the set's
    templates) and its answer the source's definition, both nearly to the letter. Two defects leave other traces:
    of an answer cut short only whole first sentences of the definition are accepted, and the page a marked-up
    answer was copied from may leave one visible word before the definition ("Definition:").
    """
    answer = " ".join(record.answer.split())
    if not any(_alike(record.question, form.format(term.name)) for form in QUESTIONS):
        return False
    if kind in _RESIDUE and _RESIDUE[kind].search(record.text):
        return False
    if kind == "truncation":
        return bool(answer) and term.definition.startswith(answer) and is_complete(answer)
    if kind == "markup":
        answer = re.sub(r"^Definition:? (?=\S)", "", answer)
    return _alike(answer, term.definition)


def measure(seed: int, rows: int, steps: Sequence[Step], *, flags: bool) -> Figures:
    """Builds the example set, runs the chain over it, and counts what became of each kind."""
    with tempfile.TemporaryDirectory() as folder:
        paths = build_example(folder, rows, seed)
        records = [
            Record(r["id"], (Message("user", r["question"]), Message("assistant", r["answer"])))
            for r in _rows(paths.train)
        ]
        held_out = [
            Record(r["id"], (Message("user", r["question"]), Message("assistant", r["answer"])))
            for r in _rows(paths.evaluation)
        ]
        labels = {r["id"]: (r["kind"], r["term"]) for r in _rows(paths.labels)}
    terms = {t.id: t for t in usable_terms(ontology_file())}
    if flags:
        found = flag_records(records, embed_records(records, len(records)), precision=0.8, seed=0)
        records = [replace(r, flagged=f) for r, f in zip(records, found.flags, strict=True)]
    before = {r.id: r for r in records}
    context = Context(held_out=held_out)
    for step in steps:
        records, _ = build(step.name, step.params).run(records, context)
    after = {r.id: r for r in records}

    left = Counter(labels[r.id][1] for r in records)
    kinds: dict[str, Figures] = {}
    for key, (kind, term_id) in labels.items():
        figures = kinds.setdefault(kind, {"records": 0, "removed": 0, "repaired": 0})
        figures["records"] += 1
        record = after.get(key)
        if record is None:
            figures["removed"] += 1
        elif kind == "clean":
            figures["changed"] = figures.get("changed", 0) + (record.messages != before[key].messages)
        elif kind == "near_duplicate" and left[term_id] > 1:
            continue  # its original is there as well
        elif repaired(kind, record, terms[term_id]):
            figures["repaired"] += 1
    clean = kinds.pop("clean")
    return {
        "seed": seed,
        "kept_of_clean": round(1 - clean["removed"] / clean["records"], 4),
        "changed_of_clean": round(clean.get("changed", 0) / clean["records"], 4),
        "dealt_with": _share(kinds.values()),
        "dealt_with_without_missing": _share(v for k, v in kinds.items() if k not in LEFT_TO_GENERATION),
        "kinds": {k: kinds[k] for k in sorted(kinds)},
    }


def _share(kinds: Any) -> float:
    kinds = list(kinds)
    return round(sum(k["removed"] + k["repaired"] for k in kinds) / sum(k["records"] for k in kinds), 4)


def _alike(a: str, b: str) -> bool:
    return difflib.SequenceMatcher(None, a, b, autojunk=False).ratio() >= ALIKE


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def configurations() -> dict[str, tuple[list[Step], bool]]:
    """Name -> operators, and whether the classifier flags the records first."""
    chain = list(DEFAULT_CHAINS[Team.CLEANING])
    kept = [s if s.name != "length_bounds" else Step(name=s.name) for s in chain]
    return {
        "cleaning": (chain, False),
        "cleaning + targeting": (chain, True),
        "cleaning + targeting, incomplete records kept": (kept, True),
    }


def main() -> None:
    """Measures all configurations on all seeds and prints them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cleaning_quality")
    parser.add_argument("--rows", type=int, default=1200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object at the end")
    parser.add_argument("--keep", action="store_true", help="write results/cleaning_quality.json")
    arguments = parser.parse_args()
    figures: Figures = {}
    for name, (steps, flags) in configurations().items():
        figures[name] = [measure(seed, arguments.rows, steps, flags=flags) for seed in arguments.seeds]
        _print(name, figures[name])
    if arguments.keep:
        write_result("cleaning_quality", figures)
    if arguments.json:
        print(json.dumps(figures))


def _print(name: str, runs: list[Figures]) -> None:
    print(f"\n{name}")
    for run in runs:
        print(
            f"  seed {run['seed']}: {run['dealt_with_without_missing']:.1%} of corrupted removed or repaired "
            f"({run['dealt_with']:.1%} with missing parts counted), {run['kept_of_clean']:.1%} of clean kept, "
            f"{run['changed_of_clean']:.1%} changed"
        )
    for kind in runs[0]["kinds"]:
        total = {k: sum(run["kinds"][kind][k] for run in runs) for k in ("records", "removed", "repaired")}
        left = total["records"] - total["removed"] - total["repaired"]
        print(
            f"    {kind:<20}{total['records']:>5} records {total['removed']:>5} removed {total['repaired']:>5} "
            f"repaired {left:>5} left"
        )


if __name__ == "__main__":
    main()
