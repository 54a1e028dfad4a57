"""From a file to everything the rounds need: loaded, embedded, flagged, split, sampled."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from contextlib import AbstractContextManager

from pydantic import BaseModel, ConfigDict

from flows.plan import Plan
from operators.config import Data, SearchConfig
from operators.data.store import BlobRef
from operators.errors import ConfigError, DataError
from operators.fidelity import Fidelity
from operators.jobs import check_gpus
from operators.models import MINILM, model_digest
from operators.processing import TeamContext
from operators.results import DataCounts, LLMUsage
from operators.strategist.space import Team
from operators.teams.base import OperatorSpec
from tasks.drifting import summarize
from tasks.durable import in_store, was_executed
from tasks.loading import Loaded, fingerprint_input, load_records
from tasks.processing import chain_specs, needs_llm, warm_up
from tasks.progress import say
from tasks.runtime import Runtime
from tasks.sampling import draw_sample, split_questions
from tasks.scoring import embed, flag_low_quality
from tasks.training import precision

Stage = Callable[[str], AbstractContextManager[None]]


class Prepared(BaseModel):
    """The plan, and what is told about the data on the way."""

    model_config = ConfigDict(frozen=True)
    plan: Plan
    loaded: Loaded
    counts: DataCounts
    fidelity: Fidelity
    reference: BlobRef
    """Summary of the loaded set's embeddings (operators.drift.Reference)."""
    usage: LLMUsage = LLMUsage()
    """Of the judge, for quality labels."""


def prepare(config: SearchConfig, stage: Stage) -> Prepared:
    """Runs the stages before the first round. `stage(name)` times and names each."""
    # Bad operators or models, and GPUs that are not there, are found before any work is done.
    chains = {team: chain_specs(config.teams[team], team) for team in Team}
    chains = {team: specs for team, specs in chains.items() if _usable(team, specs, config)}
    if not chains:
        raise ConfigError("no team can be used: give teams operators, or configure endpoints.rewriter")
    model_sha256, minilm_sha256 = model_digest(config.training.model), model_digest(MINILM)
    model_digest(config.embedding.choose(rows=0))
    runtime = Runtime.of(config)
    check_gpus(runtime.cluster, config.training.num_gpus)

    with stage("load"):
        labels = config.targeting.labels_from
        loaded = load_input(config.data.input, config.data, config.store, labels)
        if labels and not loaded.labelled:
            raise DataError(f"{config.data.input}: targeting.label_column: no record has a column {labels!r}")
        evaluation = (
            load_input(config.data.evaluation, config.data, config.store).dataset
            if config.data.evaluation
            else None
        )
        say(f"{loaded.dataset.rows} records, {loaded.quarantined} bad rows quarantined")
    dataset = loaded.dataset
    embedder = config.embedding.choose(dataset.rows)
    embedder_sha256 = model_digest(embedder)
    usage = LLMUsage()
    with stage("embed"):
        embedding = in_store(embed, config.store).submit(dataset, embedder, embedder_sha256, runtime)
        embedding.wait()
        if was_executed(embedding):
            warm_up(config, chains)  # something is new: a managed server will be needed, and takes a minute
        reference = in_store(summarize, config.store)(
            embedding.result(), embedder, embedder_sha256, config.seed, config.store
        )
    with stage("target"):
        if config.targeting.enabled:
            flagging = in_store(flag_low_quality, config.store).submit(
                dataset,
                embedding.result(),
                config.targeting,
                embedder_sha256,
                config.seed,
                config.data.task,
                runtime,
            )
            dataset = flagging.result().dataset
            usage = flagging.result().usage if was_executed(flagging) else LLMUsage()
            say(f"{dataset.flagged} records to be processed as low quality. {flagging.result().note}")
    with stage("sample"):
        splits = in_store(split_questions, config.store)(
            dataset, evaluation, config.data, config.training, model_sha256, config.seed, config.store
        )
        sample = in_store(draw_sample, config.store)(
            splits.train, config.sampling, embedder, embedder_sha256, config.seed, runtime
        )
        flagged = f", {sample.dataset.flagged} of them flagged" if config.targeting.enabled else ""
        say(f"{sample.dataset.rows} records sampled{flagged}")

    settled = precision(config.training, runtime)
    context = TeamContext(
        seed=config.seed,
        target_model=config.training.model,
        target_model_sha256=model_sha256,
        embedder=MINILM,
        embedder_sha256=minilm_sha256,
        development=splits.search,
        held_out=splits.held_out,
        task=config.data.task,
        precision=settled,
    )
    return Prepared(
        plan=Plan(
            config=config,
            runtime=runtime,
            splits=splits,
            sample=sample.dataset,
            context=context,
            chains=chains,
            model_sha256=model_sha256,
            embedder=embedder,
            embedder_sha256=embedder_sha256,
            precision=settled,
        ),
        loaded=loaded,
        counts=DataCounts(
            rows=loaded.dataset.rows,
            quarantined=loaded.quarantined,
            flagged=dataset.flagged if config.targeting.enabled else None,
            sampled=sample.dataset.rows,
            held_out=0 if evaluation else splits.held_out.rows,
            left_out=loaded.dataset.rows - splits.train.rows - (0 if evaluation else splits.held_out.rows),
        ),
        fidelity=sample.fidelity,
        usage=usage,
        reference=reference,
    )


def load_input(uri: str, data: Data, store: str, labels: str | None = None) -> Loaded:
    """Loads a file through the cache: read again only when its bytes changed. `labels` is its column with them."""
    name = posixpath.basename(uri.rstrip("/"))
    fingerprint = fingerprint_input.with_options(task_run_name=lambda: f"fingerprint {name}")(uri)
    return in_store(load_records, store, f"load {name}")(uri, fingerprint, data, store, labels)


def _usable(team: Team, specs: list[OperatorSpec], config: SearchConfig) -> bool:
    """Whether strategies may name the team: it has operators, and the model they ask is configured."""
    if specs and needs_llm(specs) and config.endpoints.rewriter is None:
        say(f"team {team} is left out: its operators need endpoints.rewriter")
        return False
    return bool(specs)
