"""Does a selection beat random selection? `python -m benchmarks.selection [--llm] [--keep] [--json]`.

On the example set, half of it corrupted, as the demo samples and trains it, before and after Cleaning: the target
model tuned on the half that a method keeps, against the same model tuned on a random half, by the likelihood of
held-out answers. Every method meets every random draw under each training seed; outcomes are averaged a question,
and the interval is a bootstrap over questions. The largest score between two random draws is the A/A band.

Fine-tunes are kept by content below --store: a run that --minutes has cut short goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from operators.config import DEFAULT_CHAINS, SearchConfig, Training, load_config
from operators.data.records import Record
from operators.data.store import Store
from operators.digest import digest
from operators.strategist.space import Team
from operators.teams.base import Context
from operators.teams.registry import build

Figures = dict[str, Any]
DRAWS = 2
"""Random selections a training seed."""
LLM_METHODS = ("llm_rating",)
TIE_MARGIN = 0.002
"""Nats per token: the judge's default."""


class Method(NamedTuple):
    """A selection as it is measured; `draw` numbers the random ones."""

    name: str
    params: dict[str, Any] = {}  # noqa: RUF012 - a tuple's default, never written to
    draw: int | None = None

    @property
    def label(self) -> str:
        """Name and the parameters that are not the defaults."""
        given = ", ".join(f"{k}={v}" for k, v in self.params.items())
        return f"{self.name} ({given})" if given else self.name


RANDOM = [Method("random_selection", draw=d) for d in range(DRAWS)]
ALL = Method("no selection", {})
METHODS = [
    Method("longest"),
    Method("nearest_to_development"),
    Method("gradient_influence"),
    Method("rds_plus"),
    Method("k_center"),
    Method("ifd"),
    Method("perplexity"),
    Method("llm_rating"),
    Method("random_selection", {"flagged_last": True}),
    Method("nearest_to_development", {"flagged_last": True}),
    Method("gradient_influence", {"update": "adam"}),
]


class Pool(NamedTuple):
    """What is selected from, and what it is measured on, as JSON lines. `clean` holds the ids of uncorrupted
    records."""

    name: str
    records: list[str]
    development: list[str]
    judging: list[str]
    clean: list[str]


class Job(NamedTuple):
    """One fine-tune: what a method keeps of a pool, under one training seed."""

    pool: Pool
    method: Method
    recipe: Training
    store: str
    task: str

    @property
    def seed(self) -> int:
        """Of the training."""
        return self.recipe.seed


def main() -> None:
    """Computes what is missing within the time given, then prints what is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="examples/demo.yaml", help="whose sample, questions and training")
    parser.add_argument("--rows", type=int, default=1200, help="of the example set; the demo samples a fifth")
    parser.add_argument("--questions", type=int, default=80, help="held-out questions that models are judged on")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="of training")
    parser.add_argument("--pools", nargs="+", default=["raw", "cleaned"], choices=["raw", "cleaned"])
    parser.add_argument("--only", nargs="*", help="names of methods to compute now")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="no fine-tune is begun after these")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--store", default=".autodp/benchmarks/selection")
    parser.add_argument("--llm", action="store_true", help="start vLLM for the methods that ask a model")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/selection.{json,md}")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    config = load_config(arguments.config, [f"data.judge_questions={arguments.questions}"])
    pools = [p for p in pools_of(config, arguments.rows, Path(arguments.store)) if p.name in arguments.pools]
    recipes = [config.training.model_copy(update={"seed": seed}) for seed in arguments.seeds]
    # One seed for all methods first: a run cut short still compares them.
    jobs = [
        Job(pool, method, recipe, arguments.store, config.data.task)
        for recipe in recipes
        for pool in pools
        for method in [*RANDOM, ALL, *METHODS]
    ]
    if arguments.llm:
        rate(jobs, config)
    wanted = [j for j in jobs if not arguments.only or j.method.name in arguments.only]
    compute(wanted, arguments.minutes, arguments.workers)
    figures = {pool.name: compare_all(pool, [j for j in jobs if j.pool is pool]) for pool in pools}
    tables = "\n".join(table(name, rows) for name, rows in figures.items())
    print(tables)
    if arguments.keep:
        from benchmarks.results import write_result

        path = write_result("selection", figures)
        path.with_suffix(".md").write_text(tables, encoding="utf-8")
    if arguments.json:
        print(json.dumps(figures))


def pools_of(config: SearchConfig, rows: int, store: Path) -> list[Pool]:
    """The pools, prepared once for each version of what prepares them."""
    chain = [build(step.name, step.params).spec for step in DEFAULT_CHAINS[Team.CLEANING]]
    file = store / "pools" / f"{digest(config, rows, chain)}.json"
    if (kept := read(file)) is None:
        made = [p._asdict() for p in prepare(config, rows, store)]
        write(file, kept := {"pools": made})
    return [Pool(**p) for p in kept["pools"]]


def prepare(config: SearchConfig, rows: int, store: Path) -> list[Pool]:
    """The demo's sample with quality flags, as it is and after the default Cleaning chain."""
    from operators.data.loading import load
    from operators.data.splits import split
    from operators.example import build_example
    from operators.record_vectors import embed_records, whole
    from operators.sampling import sample
    from operators.targeting import flag_records

    paths = build_example(store / "example", rows)
    records = load(str(paths.train)).records
    vectors = embed_records(records, len(records))
    flags = flag_records(records, vectors, precision=config.targeting.precision, seed=config.seed).flags
    flagged = [Record(r.id, r.messages, r.meta, f) for r, f in zip(records, flags, strict=True)]
    parts = split(
        flagged,
        search=config.data.search_questions,
        judge=config.data.judge_questions,
        sealed=config.data.sealed_questions,
        seed=config.seed,
        evaluation=load(str(paths.evaluation)).records,
    )
    vectors = whole(embed_records(parts.train, len(parts.train)))
    chosen = sample(
        vectors,
        [r.flagged for r in parts.train],
        fraction=config.sampling.fraction,
        minimum=config.sampling.minimum,
        method=config.sampling.method,
        seed=config.seed,
    )
    raw = [parts.train[i] for i in chosen]
    context = Context(seed=config.seed, development=parts.search, held_out=parts.held_out)
    cleaned = raw
    for step in DEFAULT_CHAINS[Team.CLEANING]:
        cleaned, _ = build(step.name, step.params).run(cleaned, context)
    labels = [json.loads(line) for line in paths.labels.read_text(encoding="utf-8").splitlines()]
    clean = [row["id"] for row in labels if row["kind"] == "clean"]
    sets = {"raw": raw, "cleaned": cleaned}
    return [Pool(n, lines(r), lines(parts.search), lines(parts.judge), clean) for n, r in sets.items()]


def lines(records: Iterable[Record]) -> list[str]:
    """Records as a pool holds them."""
    return [r.to_json() for r in records]


def records_of(rows: Iterable[str]) -> list[Record]:
    """Inverse of `lines`."""
    return [Record.from_json(row) for row in rows]


def compute(jobs: Sequence[Job], minutes: float, workers: int) -> None:
    """Runs the missing jobs on `workers` processes of one thread each."""
    os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}  # inherited by the workers
    missing = [j for j in jobs if result_of(j) is None and not (needs_llm(j) and selection_of(j) is None)]
    deadline = time.monotonic() + 60 * minutes
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        futures: dict[Future[Figures], Job] = {executor.submit(run, j, deadline): j for j in missing}
        for done, future in enumerate(as_completed(futures), 1):
            job, outcome = futures[future], future.result()
            if outcome:
                where = f"{job.pool.name}, {job.method.label}, seed {job.seed}"
                print(f"{done}/{len(missing)} {where}: {outcome['seconds']:.0f} s", flush=True)


def run(job: Job, deadline: float) -> Figures:
    """Selects and fine-tunes; empty after the deadline."""
    if time.monotonic() > deadline:
        return {}
    from transformers.utils import logging

    from operators.training.lora import fine_tune

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    ids = set(select(job)["kept"])
    found = result_of(job)  # another method may have left the same records
    if found is None:
        kept = [r for r in records_of(job.pool.records) if r.id in ids]
        tuned = fine_tune(kept, records_of(job.pool.judging), job.recipe, Store(job.store))
        found = {"nll": tuned.question_nll, "seconds": tuned.seconds}
        write(training_file(job, ids), found)
    return found


def select(job: Job, context: Context | None = None) -> Figures:
    """The ids a method keeps, and the seconds it took; computed once."""
    found = selection_of(job)
    if found is None:
        records = records_of(job.pool.records)
        if job.method == ALL:
            found = {"kept": [r.id for r in records], "seconds": 0.0, "counts": {}}
        else:
            context = context or Context(
                seed=selection_seed(job),
                target_model=job.recipe.model,
                development=records_of(job.pool.development),
                task=job.task,
            )
            kept, report = build(job.method.name, job.method.params).run(records, context)
            found = {"kept": [r.id for r in kept], "seconds": report.seconds, "counts": report.counts}
        write(selection_file(job), found)
    return found


def rate(jobs: Sequence[Job], config: SearchConfig) -> None:
    """The selections that ask a model, here, with vLLM and the demo's rewriter."""
    from operators.llm.client import LLMClient
    from operators.llm.vllm import ManagedServer

    endpoint = config.endpoints.rewriter
    asking = [j for j in jobs if needs_llm(j) and selection_of(j) is None]
    if endpoint is None or not asking:
        return
    with ManagedServer(endpoint.model) as server:
        for job in asking:
            client = LLMClient(endpoint, base_url=server.base_url, role="rewriter")
            select(job, Context(seed=selection_seed(job), llm=client, task=job.task))


def needs_llm(job: Job) -> bool:
    """Whether the job's selection asks a model server."""
    return job.method.name in LLM_METHODS


def selection_seed(job: Job) -> int:
    """One for all methods; random draws have one each for every training seed."""
    return 0 if job.method.draw is None else 1 + job.method.draw + 100 * job.seed


def selection_file(job: Job) -> Path:
    """Where the selection is kept: by the operator with its parameters, and all that it reads."""
    spec = ALL.name if job.method == ALL else build(job.method.name, job.method.params).spec
    content = [job.pool.records, job.pool.development]
    key = digest("selection", spec, content, selection_seed(job), job.recipe.model, job.task)
    return Path(job.store) / "selections" / f"{key}.json"


def training_file(job: Job, ids: Iterable[str]) -> Path:
    """Where the fine-tune is kept: by what is trained on, how, and the questions."""
    from operators.data.records import training_digest
    from operators.models import model_digest

    chosen = set(ids)
    trained_on = training_digest(r for r in records_of(job.pool.records) if r.id in chosen)
    recipe = job.recipe.model_dump(mode="json", exclude={"num_cpus", "num_gpus", "model"})
    key = digest("training", trained_on, recipe, model_digest(job.recipe.model), job.pool.judging)
    return Path(job.store) / "trainings" / f"{key}.json"


def selection_of(job: Job) -> Figures | None:
    """The stored selection."""
    return read(selection_file(job))


def result_of(job: Job) -> Figures | None:
    """The stored fine-tune, None where it or the selection is missing."""
    found = selection_of(job)
    return None if found is None else read(training_file(job, found["kept"]))


def read(path: Path) -> Figures | None:
    """A stored JSON object."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def write(path: Path, value: Figures) -> None:
    """Stores a JSON object; a reader sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    partial.write_text(json.dumps(value), encoding="utf-8")
    partial.replace(path)


def compare_all(pool: Pool, jobs: Sequence[Job]) -> list[Figures]:
    """A row a method whose fine-tunes are all there: against every random draw of the same training seed."""
    from operators.judging.reference import outcomes

    found = {(j.method.label, j.method.draw, j.seed): r for j in jobs if (r := result_of(j))}
    rows = []
    for method in [*RANDOM, ALL, *METHODS]:
        mine = [j for j in jobs if j.method == method and (method.label, method.draw, j.seed) in found]
        matches = [
            outcomes(found[method.label, method.draw, j.seed]["nll"], rival["nll"], TIE_MARGIN)
            for j in mine
            for draw in RANDOM
            if draw != method and (rival := found.get((draw.label, draw.draw, j.seed)))
        ]
        if matches:
            rows.append(row(method, pool, np.array(matches), mine))
    single = [abs(s) for r in rows if r["draw"] is not None for s in r["single_scores"]]
    for r in rows:
        r["aa_band"] = max(single, default=float("nan"))
        r["beats_random"] = bool(r["draw"] is None and r["score_ci"][0] > 0 and r["score"] > r["aa_band"])
    return rows


def row(method: Method, pool: Pool, matches: np.ndarray, jobs: Sequence[Job]) -> Figures:
    """The figures of a method from its outcomes, shape (matches, questions)."""
    from operators.judging.statistics import compare

    score = compare(matches.mean(axis=0).tolist())
    wins = compare((matches > 0).mean(axis=0).tolist())
    selections = [s for j in jobs if (s := selection_of(j))]
    kept, clean = [set(s["kept"]) for s in selections], set(pool.clean)
    return {
        "method": method.label,
        "draw": method.draw,
        "kept": len(kept[0]),
        "of": len(pool.records),
        "clean_share": float(np.mean([len(k & clean) / len(k) for k in kept])),
        "win_rate": wins.score,
        "win_rate_ci": wins.score_ci,
        "tie_rate": float((matches == 0).mean()),
        "loss_rate": float((matches < 0).mean()),
        "score": score.score,
        "score_ci": score.score_ci,
        "single_scores": matches.mean(axis=1).tolist(),
        "training_seeds": [j.seed for j in jobs],
        "questions": matches.shape[1],
        "seconds": float(np.mean([s["seconds"] for s in selections])),
        "counts": selections[0]["counts"],
    }


def table(pool: str, rows: Sequence[Figures]) -> str:
    """Markdown."""
    if not rows:
        return f"### {pool}: nothing computed yet\n"
    first = rows[0]
    lines = [
        f"### {pool}: {first['kept']} of {first['of']} records kept, A/A band {first['aa_band']:.2f}",
        "",
        "| method | clean | win / tie / loss | win rate, 95 % | score, 95 % | beats random | s |",
        "|---|---:|---:|---:|---:|:---:|---:|",
    ]
    for r in rows:
        name = r["method"] if r["draw"] is None else f"random draw {r['draw']} (A/A)"
        score = f"{r['score']:+.2f} ({r['score_ci'][0]:+.2f} to {r['score_ci'][1]:+.2f})"
        beats = "" if r["draw"] is not None else "yes" if r["beats_random"] else "no"
        lines.append(
            f"| {name} | {r['clean_share']:.0%} | "
            f"{r['win_rate']:.0%} / {r['tie_rate']:.0%} / {r['loss_rate']:.0%} | "
            f"{r['win_rate_ci'][0]:.0%} to {r['win_rate_ci'][1]:.0%} | "
            f"{score} | {beats} | {r['seconds']:.0f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
