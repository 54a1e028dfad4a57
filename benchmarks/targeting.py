"""How well the classifier finds low-quality records: `python -m benchmarks.targeting [--json]`.

The example set without labels; each kind of damage left out of training and met in testing; expert-revised
instruction records with no and with 200 labels, beside a control that sees only lengths.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from operators.data.records import Message, Record
from operators.embedding import embed
from operators.example import build_example
from operators.models import MINILM
from operators.targeting import flag_records
from operators.targeting.classifier import out_of_fold, without_labels
from operators.targeting.corruptions import CORRUPTIONS, Sides
from operators.targeting.matrix import build_matrix

Figures = dict[str, Any]


def main() -> None:
    """Runs all parts, prints a table a part, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--rows", type=int, default=1200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8], help="of the example set; 7 was tuned on")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in arguments.seeds:
            figures[f"example_seed_{seed}"] = example(Path(folder), arguments.rows, seed)
        figures["left_out"] = left_out(Path(folder), arguments.rows, arguments.seeds[0])
    figures["coachlm"] = coachlm(arguments.data / "coachlm_pairs.jsonl")
    if arguments.json:
        print(json.dumps(figures))


def example(folder: Path, rows: int, seed: int) -> Figures:
    """AUROC, calibration, and what is flagged of each kind, no labels used."""
    paths = build_example(folder, rows, seed)
    records = [_record(r["id"], r["question"], r["answer"]) for r in _rows(paths.train)]
    kinds = np.array([r["kind"] for r in _rows(paths.labels)])
    low = kinds != "clean"
    embeddings = embed([r.text for r in records])
    embed([r.question for r in records] + [r.answer for r in records])  # timed apart: cached by content
    start = time.perf_counter()
    found = flag_records(records, embeddings, precision=0.8, seed=0)
    seconds = time.perf_counter() - start
    flagged = np.array([f is True for f in found.flags])
    processed = np.array([f is not False for f in found.flags])
    figures = {
        "auroc": auroc(low, found.probabilities),
        "ece": calibration_error(low, found.probabilities),
        "precision": float(low[flagged].mean()),
        "expected_precision": found.expected_precision,
        "flagged": int(flagged.sum()),
        "undecided": int((processed & ~flagged).sum()),
        "processed": {str(k): float(processed[kinds == k].mean()) for k in sorted(set(kinds)) if k != "clean"},
        "clean_processed": float(processed[~low].mean()),
        "ms_a_record_without_embedding": 1000 * seconds / rows,
    }
    _print(f"Example set, seed {seed}, {rows} rows, no labels", figures)
    return figures


def left_out(folder: Path, rows: int, seed: int) -> Figures:
    """AUROC on clean evaluation records, half of them damaged in one kind, which training leaves out."""
    paths = build_example(folder, rows, seed)
    train = [_record(r["id"], r["question"], r["answer"]) for r in _rows(paths.train)]
    clean = [Sides(r["question"], r["answer"], i, i) for i, r in enumerate(_rows(paths.evaluation))]
    figures: Figures = {}
    for kind, damage in CORRUPTIONS.items():
        rng = np.random.default_rng(seed)
        damaged = rng.permutation(len(clean)) < len(clean) // 2
        tested = [
            damage(s, clean[(i + 1) % len(clean)], rng) if d else s
            for i, (s, d) in enumerate(zip(clean, damaged, strict=True))
        ]
        # A copy is one more record: what it copies stands in the set as well.
        originals = [s for s, t in zip(clean, tested, strict=True) if t.copy]
        records = train + [_record(f"o{i}", s.question, s.answer) for i, s in enumerate(originals)]
        records += [_record(f"t{i}", s.question, s.answer) for i, s in enumerate(tested)]
        matrix = build_matrix(
            records,
            embed([r.text for r in records]),
            seed=0,
            embedder=MINILM,
            kinds=[k for k in CORRUPTIONS if k != kind],
        )
        figures[kind] = auroc(damaged, without_labels(matrix, 0)[-len(tested) :])
    summary = {"mean": float(np.mean(list(figures.values()))), "worst": min(figures, key=lambda k: figures[k])}
    figures |= summary
    _print("Kind left out of training, AUROC on it", figures)
    return figures


def coachlm(file: Path) -> Figures:
    """AUROC of telling records from expert revisions of other records: each pair gives one of its two."""
    rng = np.random.default_rng(0)
    rows = _rows(file)
    low = rng.random(len(rows)) < 0.5
    records = [
        _record(str(i), r["question"], r["answer"])
        if before
        else _record(str(i), r["revised_question"], r["revised_answer"])
        for i, (r, before) in enumerate(zip(rows, low, strict=True))
    ]
    embeddings = embed([r.text for r in records])
    lengths = np.log1p([[len(r.question), len(r.answer)] for r in records])
    shown = np.zeros(len(rows), bool)
    shown[rng.permutation(len(rows))[:200]] = True
    labels = [bool(v) if s else None for v, s in zip(low, shown, strict=True)]
    places = np.flatnonzero(shown)
    control = out_of_fold(
        lengths[places], low[places].astype(float), np.ones(200), places, lengths, 0, {"num_leaves": 4}
    )
    unaided = flag_records(records, embeddings, precision=0.8, seed=0).probabilities
    aided = flag_records(records, embeddings, precision=0.8, seed=0, labels=labels).probabilities
    figures = {
        "no_labels": auroc(low, unaided),
        "no_labels_short_is_bad_control": auroc(low, -lengths[:, 1]),
        "labels_200": auroc(low[~shown], aided[~shown]),
        "labels_200_lengths_control": auroc(low[~shown], control[~shown]),
        "labels_200_ece": calibration_error(low[~shown], aided[~shown]),
    }
    _print("CoachLM pairs, before or after revision", figures)
    return figures


def auroc(target: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(target, scores))


def calibration_error(target: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error over equally wide bins (Guo et al. 2017)."""
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = [
        abs(probabilities[place == b].mean() - target[place == b].mean()) * (place == b).mean()
        for b in range(bins)
        if (place == b).any()
    ]
    return float(sum(gaps))


def _record(name: str, question: str, answer: str) -> Record:
    return Record(name, (Message("user", question), Message("assistant", answer)))


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _print(title: str, figures: Figures) -> None:
    print(f"\n{title}")
    for name, value in figures.items():
        parts: Sequence[tuple[str, Any]] = list(value.items()) if isinstance(value, dict) else [("", value)]
        for part, number in parts:
            shown = f"{number:.3f}" if isinstance(number, float) else str(number)
            print(f"  {' '.join((name, part)).strip():<40} {shown}")


if __name__ == "__main__":
    main()
