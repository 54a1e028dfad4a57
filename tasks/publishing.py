"""Handing over: processed set, recipe, report, numbers, adapter and transcript, in one directory."""

from __future__ import annotations

import json
import posixpath

from prefect import task
from prefect.artifacts import create_link_artifact, create_markdown_artifact

from operators.config import SearchConfig
from operators.data.containers import output_name
from operators.data.store import BlobRef, DatasetRef, Store
from operators.data.writers import write
from operators.digest import digest
from operators.fidelity import Fidelity
from operators.processing import TeamContext
from operators.publishing import Output, recipe_yaml
from operators.report import render, story
from operators.results import Recipe, RecordsFile, SearchResult
from operators.strategist.base import Proposal
from operators.strategist.space import Team
from operators.teams.base import OperatorSpec
from tasks.durable import silenced
from tasks.events import send_search_finished
from tasks.loading import Loaded
from tasks.processing import model_identity, needs_llm, needs_model
from tasks.sampling import SplitRefs
from tasks.story import artifact_key


@task(name="publish", task_run_name="publish {config.name}")
@silenced
def publish(
    result: SearchResult,
    recipe: Recipe,
    config: SearchConfig,
    loaded: Loaded,
    fidelity: Fidelity,
    splits: SplitRefs,
    processed: DatasetRef,
    adapter: BlobRef,
    proposals: list[Proposal],
    reference: BlobRef,
) -> str:
    """Writes everything to `<output>/<name>/` and returns that place. search.json is written last, and an earlier
    search's is removed first: where it is, all the rest is complete."""
    store = Store(config.store)
    output = Output(posixpath.join(config.output, config.name))
    output.remove("search.json")
    output.remove("quarantine.jsonl")
    name = output_name(loaded.source.container)
    output.keep_alone(name)
    write(store.get_records(processed), output.uri(name), loaded.source)
    if loaded.quarantine:
        output.write("quarantine.jsonl", store.get_bytes(loaded.quarantine.sha256))
    output.write("development.jsonl", store.get_bytes(splits.search.sha256))
    output.write("evaluation.jsonl", store.get_bytes(splits.held_out.sha256))
    output.write("reference.json", store.get_bytes(reference.sha256))
    output.write("recipe.yaml", recipe_yaml(recipe))
    folder = store.get_directory(adapter)
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        output.write(f"adapter/{file.relative_to(folder).as_posix()}", file.read_bytes())
    transcript = [json.loads(p.model_dump_json()) for p in proposals]
    output.write("transcript.json", json.dumps(transcript, indent=1, ensure_ascii=False))
    output.write("report.html", render(result, fidelity=fidelity, recipe=recipe))
    output.write("search.json", result.model_dump_json(indent=1))

    create_markdown_artifact(
        f"**{result.verdict.reason}**\n\n{story(result.trials, result.verdict.adopted)}",
        key=artifact_key(config.name, "verdict"),
        description=f"Verdict of {config.name}",
    )
    create_link_artifact(
        output.uri("report.html") if "://" in output.root else f"file://{output.uri('report.html')}",
        link_text=f"Report of {config.name}: {output.uri('report.html')}",
        key=artifact_key(config.name, "report"),
        description=f"Report of {config.name}",
    )
    send_search_finished(config.name, output.root, config.approved_as, store.root, result.verdict.decision)
    return output.root


def make_recipe(
    config: SearchConfig,
    result: SearchResult,
    chains: dict[Team, list[OperatorSpec]],
    splits: SplitRefs,
    model_sha256: str,
    context: TeamContext,
    embedder: str,
    embedder_sha256: str,
    reference: BlobRef,
) -> Recipe:
    """The recipe of a search's verdict. With the verdict "no processing" its strategy is empty. `embedder` is
    that of the quality flags, where the teams' is in the context."""
    strategy = result.verdict.adopted
    used = {team: chains[team] for team in strategy}
    rewriter = config.endpoints.rewriter if any(map(needs_llm, used.values())) else None
    return Recipe(
        name=config.name,
        strategy=strategy,
        teams=used,
        seed=config.seed,
        target_model=config.training.model,
        target_model_sha256=model_sha256,
        precision=context.precision if any(map(needs_model, used.values())) else None,
        embedder=context.embedder,
        embedder_sha256=context.embedder_sha256,
        targeting_embedder=embedder if embedder != context.embedder else None,
        targeting_embedder_sha256=embedder_sha256 if embedder != context.embedder else None,
        targeting=config.targeting,
        rewriter=rewriter,
        rewriter_sha256=digest(model_identity(rewriter)) if rewriter is not None else None,
        judge=config.endpoints.judge if config.targeting.enabled and config.targeting.labels else None,
        development=RecordsFile(file="development.jsonl", sha256=splits.search.sha256),
        evaluation=RecordsFile(file="evaluation.jsonl", sha256=splits.held_out.sha256),
        reference=RecordsFile(file="reference.json", sha256=reference.sha256),
        left_out="conversation" if config.data.evaluation else "question",
        data_format=config.data.row_format,
        task=config.data.task,
        evidence=result.verdict,
    )
