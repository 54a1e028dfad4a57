"""Replaying a recipe on any data set, without a search."""

from __future__ import annotations

from typing import Literal

from prefect import flow
from prefect.artifacts import create_table_artifact
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flows.applying import apply_teams, prepared, read_as
from flows.prepare import load_input
from flows.scale_out import process_in_files
from operators.config import FLAGS_VERSION, Cluster, Endpoint, Endpoints, RowFormat, ScaleOut, Settings
from operators.data.containers import absolute
from operators.data.store import DatasetRef
from operators.data.writers import refuse_other_kind, refuse_overwriting
from operators.digest import digest
from operators.errors import ConfigError
from operators.llm.identity import known_identity
from operators.models import model_digest
from operators.processing import TeamContext
from operators.publishing import read_recipe
from operators.results import Recipe, RecordsFile, TeamRun
from operators.teams.base import OperatorReport
from operators.teams.registry import rebuild
from tasks.progress import say
from tasks.replaying import records_beside, write_output
from tasks.runtime import Runtime
from tasks.s3_block import use_s3_block


class ProcessConfig(Settings):
    """What is processed, by which recipe, and where."""

    recipe: str = Field(description="recipe.yaml of a search; path or s3:// URL")
    input: str = Field(description="Data set to process; path or s3:// URL")
    output: str = Field(description="File to write; same format as the input")
    store: str = Field(".autodp/store", description="Content store: path or s3:// URL")
    data_format: RowFormat = Field(RowFormat(), description="Of the input, where it is not the recipe's set's")
    rewriter: Endpoint | None = Field(None, description="Instead of the recipe's rewriter endpoint")
    judge: Endpoint | None = Field(None, description="Instead of the recipe's judge, which labels records")
    i_allow_records_to_leave: bool = Field(False, description="Accept a rewriter or judge outside this network")
    num_cpus: float = Field(1, ge=0, description="CPUs of an operator that loads the target model")
    num_gpus: float = Field(0, ge=0, description="GPUs of an operator that loads the target model")
    cluster: Cluster = Cluster()
    scale_out: ScaleOut | None = Field(
        None, description="Input and output are directories of Parquet files, processed by many workers"
    )


class ProcessResult(BaseModel):
    """What was done, in counts."""

    model_config = ConfigDict(frozen=True)
    output: str
    rows_in: int
    rows_out: int
    quarantined: int
    runs: list[TeamRun]
    """One a team; with scale_out those only that ran on the whole set."""


@flow(name="process-dataset", flow_run_name="process {config.input}")
def process_dataset(config: ProcessConfig) -> ProcessResult:
    """Applies a recipe's teams in order; the same recipe and input give the same bytes.

    Raises ConfigError, before anything is read, where the output's name does not suit the input.
    """
    use_s3_block()
    refuse_overwriting(config.output, config.input)
    if config.scale_out is None:
        refuse_other_kind(config.output, config.input)
    recipe = read_recipe(config.recipe)
    endpoints = _endpoints(recipe, config)
    runtime = Runtime(
        store=config.store,
        cluster=config.cluster,
        rewriter=endpoints.rewriter,
        judge=endpoints.judge,
        model_cpus=config.num_cpus,
        model_gpus=config.num_gpus,
    )
    _check_models(recipe)
    _check_rewriter(recipe, config, endpoints.rewriter)
    _check_operators(recipe, config.recipe)
    context = TeamContext(
        seed=recipe.seed,
        target_model=recipe.target_model,
        target_model_sha256=recipe.target_model_sha256,
        precision=recipe.precision,
        embedder=recipe.embedder,
        embedder_sha256=recipe.embedder_sha256,
        development=_beside(recipe.development, config),
        held_out=_beside(recipe.evaluation, config),
        task=recipe.task,
    )
    data = read_as(config.input, config.data_format, recipe)
    if config.scale_out:
        # Workers, which run in other directories, read and write the files.
        data = data.model_copy(update={"input": absolute(data.input)})
        output = absolute(config.output)
        result = process_in_files(recipe, config.recipe, context, data, output, config.scale_out, runtime)
        _show(result.reports, recipe)
        return ProcessResult(
            output=config.output,
            rows_in=result.records,
            rows_out=result.rows_out,
            quarantined=result.rows - result.records,
            runs=result.runs,
        )
    loaded = load_input(config.input, data, config.store, recipe.targeting.labels_from)
    say(f"{loaded.dataset.rows} records, {loaded.quarantined} bad rows quarantined")
    source = prepared(loaded.dataset, recipe, context, runtime)
    runs = apply_teams([(team, recipe.teams[team]) for team in recipe.strategy], source, context, runtime)
    final = runs[-1].dataset if runs else source
    write_output(final, loaded, config.output, config.store)
    _show([report for run in runs for report in run.reports], recipe)
    return ProcessResult(
        output=config.output,
        rows_in=loaded.dataset.rows,
        rows_out=final.rows,
        quarantined=loaded.quarantined,
        runs=runs,
    )


def _show(reports: list[OperatorReport], recipe: Recipe) -> None:
    if reports:
        table = [r.model_dump(exclude={"counts"}) for r in reports]
        create_table_artifact(table, key="processing", description=f"{recipe.name}: rows by operator")


def _endpoints(recipe: Recipe, config: ProcessConfig) -> Endpoints:
    roles: tuple[Literal["rewriter", "judge"], ...] = ("rewriter", "judge")
    rewriter, judge = config.rewriter or recipe.rewriter, config.judge or recipe.judge
    # The same rule as in a search: records stay inside unless the owner says otherwise.
    if not config.i_allow_records_to_leave and any(e is not None and not e.is_private for e in (rewriter, judge)):
        raise ConfigError(
            "the rewriter or judge endpoint is outside this network; use a private server, or set "
            "i_allow_records_to_leave"
        )
    try:
        return Endpoints(rewriter=rewriter, judge=judge, i_allow_records_to_leave_for=roles)
    except ValidationError as e:
        raise ConfigError("; ".join(fault["msg"].removeprefix("Value error, ") for fault in e.errors())) from None


def _check_models(recipe: Recipe) -> None:
    models = [
        ("target_model", recipe.target_model, recipe.target_model_sha256),
        ("embedder", recipe.embedder, recipe.embedder_sha256),
    ]
    if recipe.targeting_embedder is not None:
        models.append(("targeting_embedder", recipe.targeting_embedder, recipe.targeting_embedder_sha256 or ""))
    for what, model, expected in models:
        if model_digest(model) != expected:
            raise ConfigError(
                f"the recipe's {what} {model} has other weights than when it was found: install the same model, "
                "or search again"
            )


def _check_rewriter(recipe: Recipe, config: ProcessConfig, rewriter: Endpoint | None) -> None:
    """The same name may stand for another model today. Who gives the endpoint anew is told, and goes on."""
    now = known_identity(rewriter) if recipe.rewriter_sha256 and rewriter else None
    if rewriter is None or now is None or digest(now) == recipe.rewriter_sha256:
        return
    differs = f"the model {rewriter.model} that rewrites is not the one that the recipe was found with"
    if config.rewriter is None:
        raise ConfigError(f"{differs}: serve that one, search again, or accept this one by giving `rewriter`")
    say(differs)


def _check_operators(recipe: Recipe, uri: str) -> None:
    if recipe.targeting.enabled and recipe.targeting_version != FLAGS_VERSION:
        raise ConfigError(
            f"{uri}: the recipe was made with version {recipe.targeting_version} of targeting, this is version "
            f"{FLAGS_VERSION}, which may flag other records: install that release, or search again"
        )
    for team in recipe.strategy:
        if not recipe.teams.get(team):
            raise ConfigError(f"{uri}: team {team} of the strategy has no operators; list them under teams.{team}")
        rebuild(recipe.teams[team])


def _beside(ref: RecordsFile | None, config: ProcessConfig) -> DatasetRef | None:
    return None if ref is None else records_beside(config.recipe, ref, config.store)
