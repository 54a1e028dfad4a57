"""What each acceleration saves: `python -m benchmarks.acceleration VARIANT`, then `... report [--json]`.
`python -m benchmarks.acceleration naive --sealed-of all` tells what the accelerated search's choice is worth where
nothing is spared: trained on every record, measured like the naive search's own.

One search run for real five times: naive (every record, every operator on every record, nothing reused, one
training after the other), with each acceleration alone, and with all three, as the product runs. All variants try
the same strategies in the same order by the product's own flows; they differ in the configuration, and in whether
a trial may see the results of the trials before it. The work is cut into pieces (preparation, baseline, trials,
verdict) that are kept in --work, so that a run may be stopped after any piece and goes on later.

Accounting. Training is `--epochs` over the set a search trains on, as in the paper: the optimizer steps of a
variant are epochs x sampled rows / batch size, the same for all its strategies and its baseline. The clock runs
while a piece runs: servers and workers are started, and have imported what they need, before it. Preparation
counts only the stages that a variant needs (naive: loading). Processing the whole set with the winner is timed
apart.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from operators.config import SearchConfig
from operators.strategist.space import Strategy

SEED = 11
"""Of the example set; not the demo's."""
BATCH = 8
FRACTION = 0.2


class Variant(NamedTuple):
    """Which accelerations are on. `at_once` trials make a round: 1 is one after the other."""

    sampling: bool = False
    targeting: bool = False
    reuse: bool = False
    at_once: int = 1


VARIANTS = {
    "naive": Variant(),
    "sampling": Variant(sampling=True),
    "targeting": Variant(targeting=True),
    "reuse": Variant(reuse=True),
    "reuse+targeting": Variant(targeting=True, reuse=True),
    "all": Variant(sampling=True, targeting=True, reuse=True, at_once=4),
}


class Piece(BaseModel):
    """A finished piece of a variant: its wall time, and what the flow returned."""

    name: str
    seconds: float
    value: dict[str, Any] = {}


def main() -> None:
    """Runs pieces of one variant, or reports on what has been run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", choices=[*VARIANTS, "report"])
    parser.add_argument("--work", type=Path, default=Path(".autodp/acceleration"))
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--trials", type=int, default=15, help="of 15 strategies of three teams")
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--corrupted", type=float, default=0.5, help="share of the example set")
    parser.add_argument("--minutes", type=float, default=60, help="after the start-up; no piece is begun later")
    parser.add_argument(
        "--sealed-of", choices=VARIANTS, help="then open the sealed questions for what this variant chose, too"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--against", choices=VARIANTS, default="naive", help="report: what the others are compared with"
    )
    parser.add_argument(
        "--earlier",
        metavar="NAME",
        help="report: with the variants of benchmarks/results/NAME.json that are not in --work, and when they ran",
    )
    parser.add_argument("--keep", metavar="NAME", help="report: write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    if arguments.variant == "report":
        from benchmarks.acceleration_report import report

        report(
            arguments.work,
            against=arguments.against,
            earlier=arguments.earlier,
            keep=arguments.keep,
            as_json=arguments.json,
        )
        return
    folder = arguments.work / arguments.variant
    use_cache(folder)
    run(arguments.variant, folder, arguments)


def configuration(variant: Variant, folder: Path, rows: int, trials: int, epochs: float) -> SearchConfig:
    """The search of one variant, over the example set in `folder`/../example."""
    example = folder.parent / "example"
    sampled = max(BATCH, round(rows * (FRACTION if variant.sampling else 1)))
    return SearchConfig.model_validate(
        {
            "name": folder.name.replace("+", "-and-"),
            "data": {
                "input": str(example / "train.jsonl"),
                "evaluation": str(example / "evaluation.jsonl"),
                "task": "Answer a question about a medical term with its definition, in plain English.",
                "search_questions": 40,
                "judge_questions": 40,
                "sealed_questions": 120,
            },
            "store": str(folder / "store"),
            "output": str(folder / "runs"),
            "sampling": {"fraction": FRACTION if variant.sampling else 1.0, "minimum": 1},
            "targeting": {"enabled": variant.targeting},
            "teams": {"generation": []},
            "training": {
                "lora": {"rank": 8, "alpha": 16, "last_layers": 4},
                "steps": max(1, round(epochs * sampled / BATCH)),
                "batch_size": BATCH,
                "learning_rate": 1e-3,
                "max_length": 192,
                "num_cpus": 2 if variant.at_once == 1 else 1,
                "reuse_frozen": variant.reuse,
            },
            "endpoints": {"rewriter": {"managed": True, "timeout": 600}},
            "strategist": {"kind": "exhaustive"},
            "budget": {"rounds": trials, "trials_per_round": variant.at_once, "trials": trials},
        }
    )


def use_cache(folder: Path) -> None:
    """A cache of this variant's own, but for the models. Must come before anything asks for the cache."""
    from operators.models import SMOLLM2, local_path

    models = local_path(SMOLLM2).parent
    cache = folder / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / "models").exists():
        (cache / "models").symlink_to(models)
    os.environ["AUTODP_CACHE"] = str(cache.resolve())
    from operators.data.store import default_cache

    default_cache.cache_clear()


def run(name: str, folder: Path, arguments: argparse.Namespace) -> None:
    """Runs what is missing of a variant, piece by piece, until it is complete or the time is up."""
    variant = VARIANTS[name]
    os.environ.setdefault("RAY_worker_niceness", "0")  # workers are timed too: at the driver's own priority
    # A search that runs one thing at a time leaves the server all cores.
    os.environ["AUTODP_VLLM_THREADS"] = str(os.cpu_count() if variant.at_once == 1 else 1)
    example = folder.parent / "example"
    if not example.exists():
        from operators.example import build_example

        build_example(example, arguments.rows, SEED, arguments.corrupted)
    config = configuration(variant, folder, arguments.rows, arguments.trials, arguments.epochs)
    (folder / "config.json").write_text(config.model_dump_json(indent=1), encoding="utf-8")
    pieces = Pieces(folder / "pieces")
    with servers(config, folder, variant.at_once):
        deadline = time.monotonic() + 60 * arguments.minutes
        search = Search(variant, config, folder, pieces)
        for piece, work in chain(search.missing(), search.choice_of(arguments.sealed_of)):
            if time.monotonic() > deadline:
                print(f"{name}: time is up before {piece}; the rest another time")
                return
            start = time.perf_counter()
            value = work()
            pieces.put(Piece(name=piece, seconds=round(time.perf_counter() - start, 2), value=value))
            print(f"{name}: {piece}, {time.perf_counter() - start:.1f} s", flush=True)
    print(f"{name}: complete")


class Pieces:
    """Finished pieces on disk, one file each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, name: str) -> Piece | None:
        """The piece, or None where it has not been run."""
        file = self.folder / f"{name}.json"
        return Piece.model_validate_json(file.read_bytes()) if file.exists() else None

    def put(self, piece: Piece) -> None:
        """Keeps a piece."""
        (self.folder / f"{piece.name}.json").write_text(piece.model_dump_json(indent=1), encoding="utf-8")

    def all(self) -> list[Piece]:
        """Every finished piece."""
        return [Piece.model_validate_json(f.read_bytes()) for f in sorted(self.folder.glob("*.json"))]


def choice_piece(strategy: Strategy) -> str:
    """The name of the piece that opened the sealed questions for a strategy which another variant chose."""
    return "sealed-of-" + "-".join(strategy)


class Search:
    """One variant's search as a list of pieces."""

    def __init__(self, variant: Variant, config: SearchConfig, folder: Path, pieces: Pieces) -> None:
        self.variant, self.config, self.folder, self.pieces = variant, config, folder, pieces

    def missing(self) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
        """The pieces that have not been run, in order. Each is asked for when the one before it is stored."""
        steps: list[tuple[str, Callable[[], dict[str, Any]]]] = [("prepare", self.prepare)]
        if not self.variant.reuse:
            steps.append(("baseline", self.baseline))
        for number in range(1, -(-self.config.budget.trials // self.variant.at_once) + 1):
            steps.append((f"round-{number:02d}", lambda number=number: self.round(number)))  # type: ignore[misc]
        steps += [("verdict", self.verdict), ("whole-set", self.whole_set)]
        for name, work in steps:
            if self.pieces.get(name) is None:
                yield name, work

    def prepare(self) -> dict[str, Any]:
        """Loads, embeds, flags and samples; also the seconds of every stage."""
        from prefect import flow

        from flows import prepare
        from flows.search import Clock

        clock = Clock()
        ready = flow(name="prepare", validate_parameters=False)(prepare.prepare)(self.config, clock.stage)
        return {"prepared": ready.model_dump(mode="json"), "stages": clock.seconds}

    def baseline(self) -> dict[str, Any]:
        """The models tuned on the unprocessed data, with two seeds, each trained once however naive the search:
        every round's store has them."""
        from tasks.durable import in_store
        from tasks.training import fine_tune

        plan = self._ready().plan
        tuned = [
            in_store(fine_tune, plan.runtime.store)(
                plan.sample,
                plan.splits.judge,
                plan.recipe(repeat),
                plan.model_sha256,
                plan.answer_tokens,
                plan.runtime,
            )
            for repeat in (0, 1)
        ]
        return {"fine_tunes": len(tuned), "steps": tuned[0].steps, "seconds": sum(t.seconds for t in tuned)}

    def round(self, number: int) -> dict[str, Any]:
        """One round of the search flow. Without reuse it finds a store that knows the baselines only, and empty
        caches."""
        from flows.iteration import leader_of, search_iteration
        from operators.strategist.view import Remaining, agent_view

        ready = self._ready()
        trials = [t for r in self.rounds() for t in r.trials]
        view = agent_view(
            task=self.config.data.task,
            round=number,
            data=ready.counts,
            trials=trials,
            remaining=Remaining(rounds=self.config.budget.rounds, trials=self.config.budget.trials - len(trials)),
            teams=list(ready.plan.chains),
        )
        k = min(self.variant.at_once, self.config.budget.trials - len(trials))
        plan = ready.plan if self.variant.reuse else self._apart(number)
        return search_iteration(number, view, k, plan, leader_of(trials)).model_dump(mode="json")

    def choice_of(self, other: str | None) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
        """The sealed questions for the strategy that another variant chose, unless they have been opened for it.
        Nothing of it is part of the search."""
        if other is None:
            return
        found = Pieces(self.folder.parent / other / "pieces").get("verdict")
        if found is None:
            raise SystemExit(f"{other} has no verdict yet: run it first")
        chosen = tuple(found.value["strategy"])
        if self.pieces.get(choice_piece(chosen)) is None:
            yield choice_piece(chosen), lambda: self.verdict(chosen)

    def verdict(self, of: Strategy | None = None) -> dict[str, Any]:
        """The sealed questions, by the search flow's own rule, or for the strategy named."""
        from prefect import flow

        from flows.verdict import deliver_verdict

        plan, rounds = self._ready().plan, self.rounds()
        for folder in self.folder.glob("store-*/objects"):  # the adapters of trials that ran apart
            shutil.copytree(folder, self.folder / "store" / "objects", dirs_exist_ok=True)
        end = flow(name="verdict", validate_parameters=False)(deliver_verdict)(plan, rounds, of)
        return end.verdict.model_dump(mode="json")

    def whole_set(self) -> dict[str, Any]:
        """The winner applied to every training record: what a search hands over in the end."""
        from prefect import flow

        from flows.search import process_whole
        from operators.results import Verdict

        found = self.pieces.get("verdict")
        assert found is not None, "the verdict comes before"
        if self.variant.sampling is False:
            return {"rows": self._ready().plan.splits.train.rows, "already": True}

        def work() -> list[dict[str, Any]]:
            runs = process_whole(self._ready().plan, Verdict.model_validate(found.value))
            return [r.result().model_dump(mode="json") for r in runs]

        return {"runs": flow(name="whole set")(work)()}

    def rounds(self) -> list[Any]:
        """The rounds run so far."""
        from flows.iteration import Round

        return [Round.model_validate(p.value) for p in self.pieces.all() if p.name.startswith("round-")]

    def _ready(self) -> Any:
        from flows.prepare import Prepared

        found = self.pieces.get("prepare")
        assert found is not None, "preparation comes first"
        return Prepared.model_validate(found.value["prepared"])

    def _apart(self, number: int) -> Any:
        """The plan in a copy of the store as it was before the first trial, with no request or vector cached."""
        store = self.folder / f"store-{number:02d}"
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(self.folder / "store", store)
        empty_caches(self.folder / "cache")
        plan = self._ready().plan
        return plan.model_copy(update={"runtime": plan.runtime.model_copy(update={"store": str(store)})})


def empty_caches(cache: Path) -> None:
    """Removes what models answered and what was embedded; the models themselves stay."""
    shutil.rmtree(cache / "requests", ignore_errors=True)
    for file in cache.glob("embeddings.sqlite*"):
        file.unlink()


@contextmanager
def servers(config: SearchConfig, folder: Path, workers: int) -> Iterator[None]:
    """Prefect, vLLM and Ray, started and warm: one training step has run, in a store of its own."""
    import operators  # noqa: F401 - its environment defaults must be in place before Prefect is imported

    from prefect.settings import PREFECT_HOME, PREFECT_LOGGING_LEVEL, temporary_settings  # isort: skip
    from prefect import flow

    from operators import jobs, remote
    from operators.data.store import Store
    from operators.llm.vllm import shared_server, stop_shared

    home = folder / "prefect"
    with temporary_settings({PREFECT_HOME: home, PREFECT_LOGGING_LEVEL: "WARNING"}):
        server = shared_server(config.endpoints.rewriter.model if config.endpoints.rewriter else "")
        try:
            flow(name="warm up")(lambda: None)()
            scratch = Store(str(folder / "warm"))
            few = scratch.put_records(_few(config))
            one = config.training.model_copy(update={"steps": 1})

            def train(_number: int) -> None:
                jobs.run(
                    remote.fine_tune_dataset,
                    few,
                    few,
                    one,
                    scratch.root,
                    0,
                    cluster=config.cluster,
                    num_cpus=one.num_cpus,
                    progress=None,
                )
                jobs.run(remote.embed_dataset, few, "all-minilm-l6-v2", scratch.root, cluster=config.cluster)

            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(2) as pool:
                list(pool.map(train, range(min(2, workers))))
            server.wait()
            yield
        finally:
            stop_shared()


def _few(config: SearchConfig) -> Sequence[Any]:
    from operators.data.loading import load

    return load(config.data.evaluation or config.data.input).records[-8:]


if __name__ == "__main__":
    main()
