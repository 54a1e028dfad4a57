"""What sampling is for: do scores on the sample rank strategies as scores on the whole set would?

    python -m benchmarks.fidelity [--minutes 7] [--workers 2] [--json]

Fifteen ways to process the example set (orders of two teams, and teams with other operators or parameters; none
asks an LLM) run on the whole set, on our 20 % sample and on a uniform sample of the same size. Each result is
fine-tuned with the demo's recipe (the same optimizer steps everywhere, which is the product's contract), and
judged against the same set's unprocessed baseline by the reference judge, on held-out questions that no data set
holds. Reported: Spearman's rank correlation of the scores with those on the whole set.

Everything is kept by content below --store: a run stops after --minutes and goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import RESULTS, write_result
from benchmarks.sampling import FRACTION, load
from operators.config import DEFAULT_CHAINS, Judging, Step, Training, load_config
from operators.data.store import DatasetRef, Store
from operators.digest import digest
from operators.example import build_example
from operators.judging.reference import outcomes
from operators.models import MINILM, model_digest
from operators.processing import TeamContext, run_team
from operators.record_vectors import embed_records, whole
from operators.sampling import Method, sample
from operators.strategist.space import Team
from operators.targeting import flag_records
from operators.teams.registry import build
from operators.training.lora import FineTune, fine_tune

Figures = dict[str, Any]
DEVELOPMENT = 40
QUESTIONS = 240
"""Held-out questions that score the strategies, besides those that selection aims at."""
BASELINE = "no processing"


def cleaning(*names: str) -> tuple[Team, tuple[Step, ...]]:
    """The Cleaning team with these operators, or with its default chain."""
    return Team.CLEANING, tuple(Step(name=n) for n in names) or DEFAULT_CHAINS[Team.CLEANING]


def selection(share: float, name: str = "nearest_to_development") -> tuple[Team, tuple[Step, ...]]:
    """The Selection team, keeping this share."""
    return Team.SELECTION, (Step(name=name, params={"share": share}),)


REPAIR = ("fix_text", "strip_markup", "mask_contacts", "special_characters")
STRATEGIES: dict[str, list[tuple[Team, tuple[Step, ...]]]] = {
    BASELINE: [],
    "cleaning": [cleaning()],
    "selection": [selection(0.5)],
    "cleaning > selection": [cleaning(), selection(0.5)],
    "selection > cleaning": [selection(0.5), cleaning()],
    "selection (longest half)": [selection(0.5, "longest")],
    "cleaning (repairs only)": [cleaning(*REPAIR)],
    "selection (quarter)": [selection(0.25)],
    "cleaning (mismatched, truncated)": [cleaning("truncated_answers", "answer_mismatch")],
    "cleaning > selection (longest half)": [cleaning(), selection(0.5, "longest")],
    "selection (random half)": [selection(0.5, "random_selection")],
    "cleaning > selection (quarter)": [cleaning(), selection(0.25)],
    "selection (longest quarter)": [selection(0.25, "longest")],
    "cleaning (near-duplicates)": [cleaning("near_duplicates")],
    "selection (three quarters)": [selection(0.75)],
    "cleaning (length, repetition)": [cleaning("length_bounds", "repetition")],
}


def main() -> None:
    """Runs what is missing for as long as it may, and reports when everything is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", default=".autodp/fidelity")
    parser.add_argument("--uniform-seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--minutes", type=float, help="start nothing after so many (default: run to the end)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/fidelity.{json,svg}")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    until = time.monotonic() + 60 * arguments.minutes if arguments.minutes else float("inf")
    store = Store(arguments.store)
    recipe = load_config("examples/demo.yaml").training
    sets, questions, context = prepare(store, arguments.uniform_seeds)
    jobs = {(name, where): key(store, name, sets[where], questions, recipe, context)
            for name in STRATEGIES for where in sets}  # fmt: skip
    missing = [job for job, place in jobs.items() if not place.exists()]
    print(f"{len(jobs) - len(missing)} of {len(jobs)} runs are in {store.root}", flush=True)
    os.environ["OMP_NUM_THREADS"] = "1"  # of the workers: one run a core
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        waiting = iter(missing)
        running = {}

        def start() -> None:
            job = next(waiting, None) if time.monotonic() < until else None
            if job is not None:
                name, where = job
                future = pool.submit(run, store.root, name, sets[where], questions, recipe, context, jobs[job])
                running[future] = job

        for _ in range(arguments.workers):
            start()
        while running:
            future = next(as_completed(list(running)))
            name, where = running.pop(future)
            print(f"  {where:<12} {name:<38} {future.result():5.0f} s", flush=True)
            start()
    left = sum(not place.exists() for place in jobs.values())
    if left:
        print(f"{left} runs are left: the same command goes on")
        return
    figures = report(jobs, sets, recipe)
    if arguments.keep:
        print(f"kept in {write_result('fidelity', figures)}")
        plot(figures)
    if arguments.json:
        print(json.dumps(figures))


def prepare(store: Store, uniform_seeds: Sequence[int]) -> tuple[dict[str, DatasetRef], DatasetRef, TeamContext]:
    """The flagged whole set and its samples; the questions; what the teams may look at."""
    folder = Path(store.root) / "example"
    example = build_example(folder)
    records = load(example.train)
    held_out = load(example.evaluation)
    vectors = embed_records(records, len(records))
    flags = flag_records(records, vectors, precision=0.8, seed=0).flags
    flagged = [replace(r, flagged=f) for r, f in zip(records, flags, strict=True)]

    def drawn(method: Method, seed: int) -> DatasetRef:
        chosen = sample(whole(vectors), flags, fraction=FRACTION, minimum=1, method=method, seed=seed)
        return store.put_records(flagged[i] for i in chosen)

    sets = {"whole": store.put_records(flagged), "ours": drawn("herding", 0)}
    rng_size = sets["ours"].rows
    for seed in uniform_seeds:
        # Plainly uniform: not even the share of flags is kept.
        chosen = np.sort(np.random.default_rng(seed).choice(len(flagged), rng_size, replace=False))
        sets[f"uniform {seed}"] = store.put_records(flagged[i] for i in chosen)
    recipe = load_config("examples/demo.yaml").training
    context = TeamContext(
        seed=0,
        target_model=recipe.model,
        target_model_sha256=model_digest(recipe.model),
        embedder=MINILM,
        embedder_sha256=model_digest(MINILM),
        development=store.put_records(held_out[:DEVELOPMENT]),
        held_out=store.put_records(held_out),
    )
    return sets, store.put_records(held_out[DEVELOPMENT : DEVELOPMENT + QUESTIONS]), context


def key(
    store: Store, name: str, source: DatasetRef, questions: DatasetRef, recipe: Training, context: TeamContext
) -> Path:
    """Where the result of one strategy on one set is kept: by all it depends on."""
    specs = [[team, [build(s.name, s.params, team=team).spec for s in steps]] for team, steps in STRATEGIES[name]]
    return Path(store.root) / "runs" / f"{digest(specs, source.sha256, questions.sha256, recipe, context)}.json"


def run(
    root: str,
    name: str,
    source: DatasetRef,
    questions: DatasetRef,
    recipe: Training,
    context: TeamContext,
    place: Path,
) -> float:
    """Processes, fine-tunes, evaluates, and keeps the result; seconds."""
    begun = time.perf_counter()
    store = Store(root)
    dataset = source
    for team, steps in STRATEGIES[name]:
        specs = [build(s.name, s.params, team=team).spec for s in steps]
        dataset = run_team(team, specs, dataset, context, root, None).dataset
    # Two strategies that leave the same data share one fine-tune, as in a search.
    kept = Path(root) / "fine-tunes" / f"{digest(dataset.training_sha256, questions.sha256, recipe)}.json"
    if kept.exists():
        tuned = FineTune.model_validate_json(kept.read_text(encoding="utf-8"))
    else:
        tuned = fine_tune(store.get_records(dataset), store.get_records(questions), recipe, store)
        _write(kept, tuned.model_dump_json())
    _write(place, json.dumps({"rows": dataset.rows, "question_nll": tuned.question_nll}))
    return time.perf_counter() - begun


def report(jobs: dict[tuple[str, str], Path], sets: dict[str, DatasetRef], recipe: Training) -> Figures:
    """Scores of every strategy on every set, and how the samples' ranks agree with the whole set's."""
    found = {job: json.loads(place.read_text(encoding="utf-8")) for job, place in jobs.items()}
    names = [name for name in STRATEGIES if name != BASELINE]
    margin = Judging().tie_margin
    won: dict[str, np.ndarray] = {}
    gain: dict[str, np.ndarray] = {}
    for where in sets:
        base = found[BASELINE, where]["question_nll"]
        tuned = [found[name, where]["question_nll"] for name in names]
        won[where] = np.array([outcomes(t, base, margin) for t in tuned])  # (strategies, questions)
        gain[where] = np.array(base) - np.array(tuned)
    samples = [where for where in sets if where != "whole"]
    figures: Figures = {
        "strategies": len(names),
        "questions": won["whole"].shape[1],
        "rows": {where: ref.rows for where, ref in sets.items()},
        "steps": recipe.steps,
        "batch_size": recipe.batch_size,
        "spearman": {where: agreement(won["whole"], won[where]) for where in samples},
        "spearman_of_mean_nll_gain": {where: agreement(gain["whole"], gain[where]) for where in samples},
        "split_half": {where: split_half(won[where]) for where in sets},
        "scores": {name: {where: float(won[where][i].mean()) for where in sets} for i, name in enumerate(names)},
        "rows_left": {name: {where: found[name, where]["rows"] for where in sets} for name in names},
    }
    print(f"\n{'score against the same set unprocessed':<40}" + "".join(f"{w:>12}" for w in sets))
    for name in sorted(names, key=lambda n: -figures["scores"][n]["whole"]):
        print(f"{name:<40}" + "".join(f"{figures['scores'][name][w]:+12.2f}" for w in sets))
    for label in ("spearman", "spearman_of_mean_nll_gain"):
        for where, (value, (low, high)) in figures[label].items():
            print(f"{label} {where}: {value:.2f} (95 % over questions {low:.2f} to {high:.2f})")
    own = ", ".join(f"{where} {value:.2f}" for where, value in figures["split_half"].items())
    print(f"a score's own reliability, split-half: {own}")
    return figures


def agreement(whole: np.ndarray, sampled: np.ndarray, resamples: int = 1000) -> tuple[float, tuple[float, float]]:
    """Spearman's correlation of the strategies' means over questions, and its percentile bootstrap interval over
    questions (which does not cover the luck of the training seed). Arrays of shape (strategies, questions)."""
    rng = np.random.default_rng(0)
    n = whole.shape[1]
    draws = []
    for _ in range(resamples):
        at = rng.integers(0, n, n)
        draws.append(_spearman(whole[:, at].mean(axis=1), sampled[:, at].mean(axis=1)))
    low, high = np.quantile(draws, [0.025, 0.975])
    return _spearman(whole.mean(axis=1), sampled.mean(axis=1)), (float(low), float(high))


def split_half(values: np.ndarray) -> float:
    """How well scores on one half of the questions rank strategies as the other half does, corrected to the whole
    number of questions (Spearman-Brown); the mean of 200 halvings. What no sample can exceed by much."""
    rng = np.random.default_rng(0)
    n = values.shape[1]
    found = []
    for _ in range(200):
        at = rng.permutation(n)
        r = _spearman(values[:, at[: n // 2]].mean(axis=1), values[:, at[n // 2 :]].mean(axis=1))
        found.append(2 * r / (1 + r) if r > -1 else -1.0)
    return float(np.mean(found))


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic)


def plot(figures: Figures) -> None:
    """Writes results/fidelity.svg: every strategy's score on the sample against that on the whole set."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    samples = list(figures["spearman"])
    figure = Figure(figsize=(4.2 * len(samples), 4.2), layout="constrained")
    values = [v for scores in figures["scores"].values() for v in scores.values()]
    ends = min(*values, 0) - 0.05, max(values) + 0.05
    for place, where in enumerate(samples, 1):
        axes = figure.add_subplot(1, len(samples), place)
        axes.plot(ends, ends, ":", color="grey")
        axes.scatter(
            [s["whole"] for s in figures["scores"].values()], [s[where] for s in figures["scores"].values()]
        )
        axes.set(xlim=ends, ylim=ends, xlabel="score on the whole set", ylabel=f"score on the sample ({where})")
        axes.set_title(f"{where}: Spearman {figures['spearman'][where][0]:.2f}")
        axes.grid(alpha=0.3)
    with mpl.rc_context({"svg.hashsalt": "fidelity"}):
        figure.savefig(RESULTS / "fidelity.svg", metadata={"Date": None})


def _write(place: Path, text: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_suffix(f".{os.getpid()}.part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(place)


if __name__ == "__main__":
    main()
