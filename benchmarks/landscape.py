"""Every strategy tried: `python -m benchmarks.landscape CONFIG [--seeds 0 1] [--teams | --train | --table]`.

Runs all 65 strategies on the sample of a search and fine-tunes each with several seeds, then writes what they
scored to benchmarks/landscapes/NAME.json. Meant for examples/demo.yaml and benchmarks/landscapes/*.yaml. Every
step is stored by its content, so a killed run goes on where it was. `--teams` stops after the teams (the only
part that needs the rewriter), `--train` goes on to the trainings, `--table` writes what is there so far.
`--cache-model` tunes another target model, in a second instead of a minute. `--race` pauses every training where
racing would look at it, and keeps what it would see.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import math
import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import TypeVar

from pydantic import BaseModel

from benchmarks.cache_model import TokenScores, cache_nll, frozen_scores
from benchmarks.recorded import LANDSCAPES, Landscape, Tuning, write_landscape
from benchmarks.results import commit, machine
from operators import remote
from operators.config import SearchConfig, Training, load_config
from operators.data.loading import load
from operators.data.records import Record
from operators.data.splits import split
from operators.data.store import DatasetRef, Store, default_cache
from operators.digest import digest
from operators.llm.connection import Connection
from operators.llm.vllm import shared_server
from operators.models import MINILM, model_digest
from operators.processing import TeamContext, run_team
from operators.record_vectors import embed_records, whole
from operators.results import DataCounts, TeamRun
from operators.sampling import sample
from operators.strategist.space import Strategy, Team, all_strategies, label
from operators.teams.registry import build, operators
from operators.training.lora import FineTune, fine_tune

M = TypeVar("M", bound=BaseModel)


class Measured(BaseModel):
    """What of a tuning goes into the table."""

    question_nll: list[float]
    seconds: float


class Prepared(BaseModel):
    """What all strategies start from."""

    rows: int
    flagged: int
    sample: DatasetRef
    judge: DatasetRef
    context: TeamContext


def main() -> None:
    """Runs the stages asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--set", action="append", default=[], help="a.b=value; may be repeated")
    parser.add_argument("--name", help="name of the landscape (the configuration's)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="training seeds of every strategy")
    parser.add_argument("--same-data", type=int, default=4, help="training seeds of the baseline")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--without", type=Team, help="leave strategies with this team for later")
    parser.add_argument("--cache-model", action="store_true", help="tune a cache (benchmarks.cache_model)")
    parser.add_argument("--race", action="store_true", help="also measure after a third of the steps")
    parser.add_argument("--teams", action="store_true", help="only apply the teams")
    parser.add_argument("--train", action="store_true", help="only train: the teams are done")
    parser.add_argument("--table", action="store_true", help="only write the table")
    arguments = parser.parse_args()
    config = load_config(arguments.config, arguments.set)
    name = arguments.name or config.name
    every = not (arguments.teams or arguments.train or arguments.table)
    recording = Recording(config, name, cache_model=arguments.cache_model, race=arguments.race)
    if every or arguments.teams:
        recording.apply_teams(arguments.without)
    if every or arguments.train:
        recording.train(arguments.seeds, arguments.same_data, arguments.workers, arguments.without)
    if not arguments.teams:
        recording.write()


class Recording:
    """One landscape on its way. All it knows lies in the store below `landscape/`."""

    def __init__(self, config: SearchConfig, name: str, *, cache_model: bool = False, race: bool = False) -> None:
        self.config = config
        self.cache_model = cache_model
        self.check = math.ceil(config.training.racing.check * config.training.steps) if race else None
        self.name = name
        self.store = Store(config.store)
        self.chains = {t: [build(s.name, s.params, team=t).spec for s in config.teams[t]] for t in Team}
        self.model_sha256 = model_digest(config.training.model)
        self.prepared = self._prepare()

    def apply_teams(self, without: Team | None = None) -> None:
        """Every node of the prefix tree, short strategies first, in this process."""
        for number, strategy in enumerate(all_strategies(), 1):
            if without in strategy:
                continue
            start = time.monotonic()
            run = self.team_run(strategy)
            counts = f"{run.source.rows} -> {run.dataset.rows} rows"
            say(f"{number:2}/64 {label(strategy)}: {counts}, {time.monotonic() - start:.1f} s")

    def team_run(self, strategy: Strategy) -> TeamRun:
        """What the last team of a strategy made of what those before it left."""
        source, team = self.dataset(strategy[:-1]), strategy[-1]
        specs = self.chains[team]
        asks = any(operators()[s.name].needs_llm for s in specs)
        endpoint = self.config.endpoints.rewriter if asks else None

        def compute() -> TeamRun:
            rewriter = None
            if endpoint is not None:
                url = endpoint.base_url
                if endpoint.managed:
                    url = shared_server(endpoint.model).start().wait().base_url
                cache = str(default_cache() / "requests")
                rewriter = Connection(endpoint=endpoint, base_url=str(url), cache=cache)
            return run_team(team, specs, source, self.prepared.context, self.config.store, rewriter)

        model = endpoint and (model_digest(endpoint.model) if endpoint.managed else endpoint.model)
        content = ["team", team, specs, source.sha256, self.prepared.context, model]
        return kept(self.config, content, TeamRun, compute)

    def dataset(self, strategy: Strategy) -> DatasetRef:
        """What a strategy leaves of the sample."""
        return self.team_run(strategy).dataset if strategy else self.prepared.sample

    def tunings(self, without: Team | None = None) -> dict[Strategy, DatasetRef]:
        """The training set of every strategy, no processing first."""
        return {s: self.dataset(s) for s in all_strategies(include_empty=True) if without not in s}

    def train(self, seeds: list[int], same_data: int, workers: int, without: Team | None = None) -> None:
        """Fine-tunes every distinct training set with every seed, in worker processes of one thread each."""
        distinct = {ref.training_sha256: ref for ref in self.tunings(without).values()}
        jobs = [(self.prepared.sample, seed) for seed in range(same_data)]
        jobs += [(ref, seed) for seed in seeds for ref in distinct.values() if (ref, seed) not in jobs]
        say(f"{len(jobs)} fine-tunes of {len(distinct)} distinct training sets")
        job: Callable[..., FineTune | Measured] = tune_cache
        if not self.cache_model:
            job = functools.partial(tune, until=self.check)
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_one_thread) as pool:
            futures = {
                pool.submit(job, self.config, self.model_sha256, ref, self.prepared.judge, seed): (ref, seed)
                for ref, seed in jobs
            }
            for number, future in enumerate(as_completed(futures), 1):
                ref, seed = futures[future]
                say(
                    f"{number}/{len(jobs)} {ref.training_sha256[:12]} seed {seed}: {future.result().seconds:.0f} s"
                )

    def tuning(self, data: DatasetRef, seed: int, until: int | None = None) -> Measured | None:
        """A stored tuning, or what it was after `until` steps."""
        recipe = self.config.training.model_copy(update={"seed": seed})
        content = _tuning_content(recipe, self.model_sha256, data, self.prepared.judge, until)
        return known(self.config, digest(*(["cache", *content] if self.cache_model else content)), Measured)

    def write(self) -> None:
        """Writes the table of what is there: strategies without a single fine-tune are left out."""
        tuning_of: dict[str, str] = {}
        tunings: dict[str, Tuning] = {}
        for strategy, ref in self.tunings().items():
            key = ref.training_sha256[:12]
            nll = {
                seed: [round(v, 4) for v in found.question_nll]
                for seed in range(16)
                if (found := self.tuning(ref, seed))
            }
            early = {
                seed: round(fmean(found.question_nll), 4)
                for seed in nll
                if self.check and (found := self.tuning(ref, seed, self.check))
            }
            if nll:
                tuning_of[">".join(strategy)] = key
                tunings[key] = Tuning(rows=ref.rows, nll=nll, early=early)
        about = {"date": datetime.now(UTC).date().isoformat(), "machine": machine(), "commit": commit()}
        counts = self.prepared
        landscape = Landscape(
            name=self.name,
            about={**about, "model": self.config.training.model + (", frozen, with a cache" * self.cache_model)},
            task=self.config.data.task,
            data=DataCounts(rows=counts.rows, quarantined=0, flagged=counts.flagged, sampled=counts.sample.rows),
            questions=counts.judge.rows,
            steps=self.config.training.steps,
            early_steps=self.check or 0,
            tie_margin=self.config.judging.tie_margin,
            tuning_of=tuning_of,
            tunings=tunings,
        )
        write_landscape(landscape, LANDSCAPES / f"{self.name}.json")
        report(landscape)

    def _prepare(self) -> Prepared:
        """The stages of a search before its first round."""
        config = self.config
        loaded = self.store.put_records(self._load(config.data.input))
        evaluation = self._load(config.data.evaluation) if config.data.evaluation else None
        embedder = model_digest(MINILM)
        content: list[object] = [
            "prepared",
            loaded.sha256,
            evaluation and self.store.put_records(evaluation).sha256,
            config.data,
            config.sampling,
            config.targeting,
            config.seed,
            embedder,
        ]

        def compute() -> Prepared:
            dataset = loaded
            if config.targeting.enabled:
                vectors = remote.embed_dataset(dataset, MINILM, config.store, progress=quiet)
                dataset = remote.flag_dataset(
                    dataset,
                    vectors,
                    config.targeting,
                    config.seed,
                    config.data.task,
                    None,
                    config.store,
                    progress=quiet,
                ).dataset
            data = config.data
            splits = split(
                self.store.get_records(dataset),
                search=data.search_questions,
                judge=data.judge_questions,
                sealed=data.sealed_questions,
                seed=config.seed,
                evaluation=evaluation,
            )
            chosen = sample(
                whole(embed_records(splits.train, len(splits.train), MINILM)),
                [r.flagged for r in splits.train],
                fraction=config.sampling.fraction,
                minimum=config.sampling.minimum,
                method=config.sampling.method,
                seed=config.seed,
            )
            return Prepared(
                rows=dataset.rows,
                flagged=dataset.flagged,
                sample=self.store.put_records(splits.train[i] for i in chosen),
                judge=self.store.put_records(splits.judge),
                context=TeamContext(
                    seed=config.seed,
                    target_model=config.training.model,
                    target_model_sha256=self.model_sha256,
                    embedder=MINILM,
                    embedder_sha256=embedder,
                    development=self.store.put_records(splits.search),
                    held_out=self.store.put_records(evaluation or splits.held_out),
                    task=data.task,
                ),
            )

        return kept(config, content, Prepared, compute)

    def _load(self, uri: str) -> list[Record]:
        return load(uri, format=self.config.data.format, columns=self.config.data.columns).records


def tune(
    config: SearchConfig,
    model_sha256: str,
    data: DatasetRef,
    questions: DatasetRef,
    seed: int,
    *,
    until: int | None = None,
) -> FineTune:
    """One fine-tune in a worker process, with a look at it after `until` steps."""
    recipe = config.training.model_copy(update={"seed": seed})
    store = Store(config.store)

    def compute(until: int | None, begun: FineTune | None = None) -> FineTune:
        records, asked = store.get_records(data), store.get_records(questions)
        return fine_tune(records, asked, recipe, store, until=until, begun=begun)

    def part(until: int | None, begun: FineTune | None = None) -> FineTune:
        content = _tuning_content(recipe, model_sha256, data, questions, until)
        return kept(config, content, FineTune, lambda: compute(until, begun))

    return part(None, part(until)) if until else part(None)


def tune_cache(
    config: SearchConfig, model_sha256: str, data: DatasetRef, questions: DatasetRef, seed: int
) -> Measured:
    """The same with the cache model."""
    recipe = config.training.model_copy(update={"seed": seed})
    store = Store(config.store)
    asked = store.get_records(questions)

    def compute() -> Measured:
        start = time.perf_counter()
        frozen = kept(
            config, ["frozen", questions.sha256, model_sha256], TokenScores, lambda: frozen_scores(asked, recipe)
        )
        nll = cache_nll(store.get_records(data), asked, frozen, recipe)
        return Measured(question_nll=nll, seconds=time.perf_counter() - start)

    return kept(config, ["cache", *_tuning_content(recipe, model_sha256, data, questions)], Measured, compute)


def kept(config: SearchConfig, content: list[object], model: type[M], compute: Callable[[], M]) -> M:
    """The result of `compute`, from the store where its content was computed before."""
    if (found := known(config, digest(*content), model)) is not None:
        return found
    result = compute()
    path = _place(config, digest(*content))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    partial.write_text(result.model_dump_json(), encoding="utf-8")
    partial.replace(path)
    return result


def known(config: SearchConfig, key: str, model: type[M]) -> M | None:
    """A stored result."""
    with contextlib.suppress(FileNotFoundError):
        return model.model_validate_json(_place(config, key).read_text(encoding="utf-8"))
    return None


def report(landscape: Landscape) -> None:
    """Prints the strategies from best to worst, and the noise floor."""
    print(f"{landscape.name}: {len(landscape.strategies)} strategies, seeds {landscape.seeds}")
    for strategy, mean in sorted(landscape.means.items(), key=lambda item: -item[1]):
        scores = " ".join(f"{landscape.comparison(strategy, s).score:+.2f}" for s in landscape.seeds)
        print(f"  {mean:+.3f}  ({scores})  {landscape.tuning(strategy).rows:>4} rows  {label(strategy)}")
    pairs = [sum(run) / len(run) for run in landscape.same_data]
    if pairs:
        print(f"  the same data, other seeds: {min(pairs):+.2f} to {max(pairs):+.2f} in {len(pairs)} pairs")
        print(f"  noise floor {landscape.noise_floor:.3f}")


def say(text: str) -> None:
    """One line of progress."""
    print(f"{datetime.now(UTC):%H:%M:%S}  {text}", flush=True)


def quiet(_label: str, _done: int, _total: int) -> None:
    """No progress."""


def _place(config: SearchConfig, key: str) -> Path:
    return Path(config.store) / "landscape" / f"{key}.json"


def _tuning_content(
    recipe: Training, model_sha256: str, data: DatasetRef, questions: DatasetRef, until: int | None = None
) -> list[object]:
    trained = [data.training_sha256, questions.sha256, recipe.content(model_sha256)]
    return ["tuning", *trained, *([until] if until else [])]


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


if __name__ == "__main__":
    main()
