"""How well the classifier finds low-quality records: `python -m benchmarks.targeting [PART ...] [--json]`.

The example set without labels; each kind of damage left out of training and met in testing; expert-revised
instruction records with no and with 200 labels, beside a control that sees only lengths; and what a record costs,
beside a one-token verdict of vLLM on the same machine.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import write_result
from operators.config import Embedding
from operators.data.records import Message, Record
from operators.data.store import default_cache
from operators.embedding import embed
from operators.example import build_example
from operators.llm.messages import Request
from operators.models import MINILM
from operators.record_vectors import embed_records, whole
from operators.targeting import flag_records
from operators.targeting.classifier import without_labels
from operators.targeting.corruptions import CORRUPTIONS, Sides
from operators.targeting.folds import Examples, out_of_fold
from operators.targeting.learners import boosted
from operators.targeting.matrix import build_matrix

Figures = dict[str, Any]
LABELS = 200


def main() -> None:
    """Runs all parts, prints a table a part, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--rows", type=int, default=1200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8], help="of the example set; 7 was tuned on")
    parser.add_argument("--splits", type=int, default=4, help="of the expert-revised pairs")
    parser.add_argument("--embedder", default=MINILM)
    parser.add_argument("--verdicts", type=int, default=128, help="records that vLLM is asked about")
    parser.add_argument("--large", type=int, default=100_000, help="rows of the large set whose cost is measured")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/targeting_<part>*.json")
    arguments = parser.parse_args()
    figures: Figures = {}
    for part in arguments.parts:
        with tempfile.TemporaryDirectory() as folder:
            figures[part] = PARTS[part](Path(folder), arguments)
        if arguments.keep:
            model = "" if arguments.embedder == MINILM else f"_{arguments.embedder}"
            print(f"kept in {write_result(f'targeting_{part}{model}', figures[part])}")
    if arguments.json:
        print(json.dumps(figures))


def example(folder: Path, arguments: argparse.Namespace) -> Figures:
    """One set a seed."""
    return {
        f"seed_{seed}": example_set(folder, arguments.rows, seed, arguments.embedder) for seed in arguments.seeds
    }


def example_set(folder: Path, rows: int, seed: int, embedder: str) -> Figures:
    """AUROC, calibration, and what is flagged of each kind, no labels used."""
    paths = build_example(folder, rows, seed)
    records = [_record(r["id"], r["question"], r["answer"]) for r in _rows(paths.train)]
    kinds = np.array([r["kind"] for r in _rows(paths.labels)])
    low = kinds != "clean"
    vectors = embed_records(records, len(records), embedder)  # timed apart
    start = time.perf_counter()
    found = flag_records(records, vectors, precision=0.8, seed=0)
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


def left_out(folder: Path, arguments: argparse.Namespace) -> Figures:
    """AUROC on clean evaluation records, half of them damaged in one kind, which training leaves out. A text
    that the damage leaves as it was counts as clean."""
    rows, seed = arguments.rows, arguments.seeds[0]
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
        vectors = embed_records(records, len(records), arguments.embedder)
        others = [k for k in CORRUPTIONS if k != kind]
        matrix = build_matrix(records, vectors, whole(vectors), seed=0, kinds=others)
        damaged &= [s != t for s, t in zip(clean, tested, strict=True)]  # a text may be left as it was
        figures[kind] = auroc(damaged, without_labels(matrix, 0)[-len(tested) :])
    summary = {"mean": float(np.mean(list(figures.values()))), "worst": min(figures, key=lambda k: figures[k])}
    figures |= summary
    _print("Kind left out of training, AUROC on it", figures)
    return figures


def coachlm(_folder: Path, arguments: argparse.Namespace) -> Figures:
    """AUROC of telling records from expert revisions of other records: each pair gives one of its two. 200 true
    labels are shown: asked for where they tell most, and drawn at random; the rest is predicted. Means over some
    splits, and each of them."""
    splits = [_coachlm_split(seed, arguments) for seed in range(arguments.splits)]
    figures: Figures = {name: float(np.mean([s[name] for s in splits])) for name in splits[0]}
    _print(f"CoachLM pairs, before or after revision, mean of {len(splits)} splits", figures)
    return figures | {"splits": splits}


def _coachlm_split(seed: int, arguments: argparse.Namespace) -> Figures:
    rng = np.random.default_rng(seed)
    rows = _rows(arguments.data / "coachlm_pairs.jsonl")
    low = rng.random(len(rows)) < 0.5
    records = [
        _record(str(i), r["question"], r["answer"])
        if before
        else _record(str(i), r["revised_question"], r["revised_answer"])
        for i, (r, before) in enumerate(zip(rows, low, strict=True))
    ]
    vectors = embed_records(records, len(records), arguments.embedder)
    lengths = np.log1p([[len(r.question), len(r.answer)] for r in records])
    drawn = np.zeros(len(rows), bool)
    drawn[rng.permutation(len(rows))[:LABELS]] = True
    asked = np.zeros(len(rows), bool)

    def ask(places: Sequence[int]) -> list[bool | None]:
        asked[list(places)] = True
        return [bool(low[i]) for i in places]

    def found(**options: Any) -> np.ndarray:
        return flag_records(records, vectors, precision=0.8, seed=0, **options).probabilities

    unaided = found()
    aided = found(ask=ask, ask_for=LABELS)
    aided_by_chance = found(labels=[bool(v) if s else None for v, s in zip(low, drawn, strict=True)])
    places = np.flatnonzero(drawn)
    examples = Examples(lengths[places], low[places].astype(float), np.ones(LABELS), places)
    control = out_of_fold(boosted({"num_leaves": 4}), examples, lengths, np.arange(len(rows)), 0)
    return {
        "no_labels": auroc(low, unaided),
        "no_labels_ece": calibration_error(low, unaided),
        "no_labels_short_is_bad_control": auroc(low, -lengths[:, 1]),
        "labels_200_asked": auroc(low[~asked], aided[~asked]),
        "labels_200_asked_ece": calibration_error(low[~asked], aided[~asked]),
        "labels_200_drawn": auroc(low[~drawn], aided_by_chance[~drawn]),
        "labels_200_drawn_ece": calibration_error(low[~drawn], aided_by_chance[~drawn]),
        "labels_200_lengths_control": auroc(low[~drawn], control[~drawn]),
    }


def cost(folder: Path, arguments: argparse.Namespace) -> Figures:
    """Milliseconds a record, classifier and vLLM one after the other on the same cores: of the example set, of
    real questions and answers, and of a large set of those, where training costs next to nothing a record.

    Counted for the classifier: describing every record and its damaged copies, training all rounds, predicting;
    that is, the whole of `flag_records`. Embedding, which the search does anyway, is given apart, and a second
    ratio includes it; the large set has the model that `embedding.model: auto` gives it.
    Counted for vLLM: batched requests for a one-token verdict with the built-in model, the server warm.
    """
    from operators.llm.vllm import ManagedServer
    from operators.models import SMOLLM2

    path = arguments.data / "medquad_4k.jsonl"
    medquad = [_record(r["id"], r["question"], r["answer"]) for r in _rows(path)]
    example = [
        _record(r["id"], r["question"], r["answer"]) for r in _rows(build_example(folder, arguments.rows, 7).train)
    ]
    again = [medquad[i % len(medquad)] for i in range(arguments.large)]
    large = [_record(str(i), f"{i}: {r.sides[0]}", f"{r.sides[1]} ({i})") for i, r in enumerate(again)]
    sets = {"example": (example, arguments.embedder), "medquad": (medquad, arguments.embedder)}
    sets["large"] = large, Embedding(model="auto").choose(len(large))
    figures = {name: _cost_of_classifier(folder / name, records, model) for name, (records, model) in sets.items()}
    with ManagedServer(SMOLLM2) as server:
        for name, records in (("example", example), ("medquad", medquad)):
            figures[name] |= _cost_of_verdict(server.base_url, records, arguments.verdicts)
    figures["large"]["vllm"] = figures["medquad"]["vllm"]  # the same texts
    for each in figures.values():
        each["vllm_over_classifier"] = each["vllm"] / each["classifier"]
        each["vllm_over_classifier_and_embedding"] = each["vllm"] / (each["classifier"] + each["embedding"])
    _print("Cost of a verdict, ms a record", figures)
    return figures


def _cost_of_classifier(folder: Path, records: Sequence[Record], model: str) -> Figures:
    cache, os.environ["AUTODP_CACHE"] = default_cache(), str(folder)  # vectors of earlier runs must not help
    default_cache.cache_clear()
    try:
        embed(["a warm model"], model)
        start = time.perf_counter()
        vectors = embed_records(records, len(records), model)
        embedded = time.perf_counter()
        flag_records(records, vectors, precision=0.8, seed=0, workers=os.cpu_count() or 1)
        end = time.perf_counter()
    finally:
        os.environ["AUTODP_CACHE"] = str(cache)
        default_cache.cache_clear()
    milliseconds = 1000 / len(records)
    return {
        "rows": len(records),
        "characters": float(np.mean([len(r.text) for r in records])),
        "embedder": model,
        "embedding": (embedded - start) * milliseconds,
        "classifier": (end - embedded) * milliseconds,
    }


def _cost_of_verdict(base_url: str, records: Sequence[Record], verdicts: int) -> Figures:
    from operators.config import Endpoint
    from operators.llm.client import LLMClient
    from operators.targeting.asking import Asking

    asked = [int(i) for i in np.random.default_rng(0).permutation(len(records))[:verdicts]]
    client = LLMClient(Endpoint(managed=True, concurrency=64, timeout=600), base_url=base_url)
    Asking(client, records)([i for i in range(len(records)) if i not in asked][:8])  # warm
    requests = [one_token_verdict(records[i]) for i in asked]
    start = time.perf_counter()
    answers = client.complete(requests)
    seconds = time.perf_counter() - start
    answered = [a for a in answers if a.error is None]
    return {
        "vllm": 1000 * seconds / len(asked),
        "tokens_a_request": float(np.mean([a.input_tokens + a.output_tokens for a in answered])),
        "answered": len(answered),
    }


def one_token_verdict(record: Record) -> Request:
    """The cheapest question there is about a record: no schema, one token of answer."""
    return Request(
        system="Is this training record good? Answer 1 for yes or 0 for no.", prompt=record.text, max_tokens=1
    )


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


PARTS: dict[str, Callable[[Path, argparse.Namespace], Figures]] = {
    "example": example,
    "left_out": left_out,
    "coachlm": coachlm,
    "cost": cost,
}

if __name__ == "__main__":
    main()
