"""Applying teams: each node of the prefix tree is one task, computed once and found again ever after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from operators import jobs, processing
from operators.config import Endpoint, SearchConfig, Step
from operators.data.store import DatasetRef
from operators.errors import ConfigError
from operators.llm.connection import Connection
from operators.llm.identity import identity
from operators.processing import TeamContext
from operators.results import TeamRun
from operators.strategist.space import Team
from operators.teams.base import OperatorSpec
from operators.teams.registry import build, operators
from tasks.durable import durable
from tasks.progress import shown
from tasks.runtime import Runtime


class Resources(TypedDict, total=False):
    """What Ray sets aside for a job."""

    num_cpus: float
    num_gpus: float


def output_of(source: TeamRun | DatasetRef) -> DatasetRef:
    """The data set that a team starts from: the input itself, or what the team before it left."""
    return source.dataset if isinstance(source, TeamRun) else source


def _content(
    team: Team,
    specs: Sequence[OperatorSpec],
    source: TeamRun | DatasetRef,
    context: TeamContext,
    runtime: Runtime,
) -> list[object]:
    # The rewriter's model matters only to teams that ask it.
    llm = model_identity(runtime.rewriter) if needs_llm(specs) else None
    return [team, list(specs), output_of(source).sha256, context.content(needs_model=needs_model(specs)), llm]


@durable("apply-team", content=_content)
def apply_team(
    team: Team,
    specs: Sequence[OperatorSpec],
    source: TeamRun | DatasetRef,
    context: TeamContext,
    runtime: Runtime,
) -> TeamRun:
    """Runs one team on a Ray worker; an LLM team reaches the private rewriter from there."""
    rewriter = None
    if needs_llm(specs):
        if runtime.rewriter is None:
            raise ConfigError(
                f"team {team} needs a model: configure endpoints.rewriter, or give it other operators"
            )
        rewriter = connection(runtime.rewriter, runtime)
    with shown() as progress:
        return jobs.run(
            processing.run_team,
            team,
            list(specs),
            output_of(source),
            context,
            runtime.store,
            rewriter,
            cluster=runtime.cluster,
            **resources(specs, runtime),
            progress=progress,
        )


def resources(specs: Sequence[OperatorSpec], runtime: Runtime) -> Resources:
    """What Ray sets aside for a team: a training's resources where the target model is loaded, for two models on
    one GPU may not fit."""
    if needs_model(specs):
        return {"num_cpus": runtime.model_cpus, "num_gpus": runtime.model_gpus}
    # A team that only asks a server must not wait for a core, which trainings hold for minutes, nor hold one.
    return {"num_cpus": 0 if needs_llm(specs) else 1}


def chain_specs(steps: Sequence[Step], team: Team) -> list[OperatorSpec]:
    """The team's operators with all parameters filled in. Raises ConfigError on what does not exist."""
    return [build(step.name, step.params, team=team).spec for step in steps]


def base_url(endpoint: Endpoint) -> str:
    """Where the endpoint answers; starts (once) and waits for the server where it is a managed one."""
    if endpoint.managed:
        from operators.llm.vllm import shared_server

        return shared_server(endpoint.model, gpu_memory_share=endpoint.gpu_memory_share).start().wait().base_url
    return endpoint.base_url or "https://api.anthropic.com"


def connection(endpoint: Endpoint, runtime: Runtime) -> Connection:
    """How a worker asks the endpoint; starts (once) and waits for the server where it is a managed one."""
    return Connection(
        endpoint=endpoint,
        base_url=base_url(endpoint),
        identity=model_identity(endpoint),
        cache=request_cache(),
        token_limit=runtime.token_limit,
        ledger=runtime.ledger,
    )


def model_identity(endpoint: Endpoint | None) -> str | None:
    """What names an endpoint's model in cache keys."""
    return None if endpoint is None else identity(endpoint)


def request_cache() -> str:
    """Directory of this machine's cache of model answers."""
    from operators.data.store import default_cache

    return str(default_cache() / "requests")


def needs_llm(specs: Sequence[OperatorSpec]) -> bool:
    """Whether some operator asks the rewriter."""
    return any(operators()[s.name].needs_llm for s in specs)


def needs_model(specs: Sequence[OperatorSpec]) -> bool:
    """Whether some operator loads the target model."""
    return any(operators()[s.name].needs_model for s in specs)


def warm_up(config: SearchConfig, chains: Mapping[Team, Sequence[OperatorSpec]]) -> None:
    """Starts the managed servers that the search will ask, without waiting for them, so that they load while other
    work runs."""
    for endpoint in asked_by(config, chains):
        if endpoint.managed:
            from operators.llm.vllm import shared_server

            shared_server(endpoint.model, gpu_memory_share=endpoint.gpu_memory_share).start()


def asked_by(config: SearchConfig, chains: Mapping[Team, Sequence[OperatorSpec]]) -> list[Endpoint]:
    """The endpoints of models that write, judge or propose which a search with these teams will ask."""
    endpoints, targeting = config.endpoints, config.targeting
    roles = [
        (endpoints.rewriter, any(map(needs_llm, chains.values()))),
        (endpoints.judge, config.judging.method != "reference" or (targeting.enabled and targeting.labels > 0)),
        (endpoints.strategist, config.strategist_kind in ("claude", "hybrid")),
    ]
    return [endpoint for endpoint, asked in roles if endpoint is not None and asked]
