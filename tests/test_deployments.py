"""prefect.yaml: `prefect deploy --all` takes it, and the server checks parameters before a run starts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[1]


def prefect(server: str, *args: str, **variables: str) -> str:
    """Runs Prefect's command line against the server; what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *args],
        env={**os.environ, "PREFECT_API_URL": server, **variables},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def client(prefect_server: str) -> Iterator[Any]:
    """A client of a server with all deployments of the local environment."""
    from prefect.client.orchestration import get_client

    prefect(prefect_server, "work-pool", "create", "autodp", "--type", "process", "--overwrite")
    prefect(prefect_server, "deploy", "--all")
    with get_client(sync_client=True) as client:
        yield client


CONFIGURED = {
    "search/search": "SearchConfig",
    "process-dataset/process": "ProcessConfig",
    "on-upload/on-upload": "UploadConfig",
    "watch-bucket/watch-bucket": "WatchConfig",
}
"""Deployments with one parameter `config`, and its model."""
GIVEN = {"on-upload/on-upload": {"upload": {"uri": "s3://b/uploads/x.jsonl", "etag": "1", "size": 3}}}
"""Parameters that have no default, because an event gives them."""
ALL = [*CONFIGURED, "approve-recipe/approve"]


def test_all_deployments_are_there(client: Any) -> None:
    for name in ALL:
        deployment = client.read_deployment_by_name(name)
        assert deployment.work_pool_name == "autodp"
        assert deployment.enforce_parameter_schema
        assert deployment.description
        assert "autodp" in deployment.tags
        assert not deployment.pull_steps, "no directory of whoever deploys is baked in"
    assert client.read_deployment_by_name("search/search").global_concurrency_limit.limit == 1


def test_schedules_have_time_zones(client: Any) -> None:
    for name in ("search/search", "watch-bucket/watch-bucket"):
        (schedule,) = client.read_deployment_by_name(name).schedules
        assert schedule.schedule.timezone == "UTC"
        assert schedule.active is False, "locally nothing starts by itself"


def test_events_start_uploads_and_approvals(client: Any) -> None:
    for name, event in (
        ("on-upload/on-upload", "autodp.object.created"),
        ("approve-recipe/approve", "autodp.search.finished"),
    ):
        deployment = client.read_deployment_by_name(name)
        found = client.read_resource_related_automations(f"prefect.deployment.{deployment.id}")
        assert {name for a in found for name in a.trigger.expect} == {event}
        assert {action.type for a in found for action in a.actions} == {"run-deployment"}


def test_the_form_names_and_explains_every_field(client: Any) -> None:
    for name, model in CONFIGURED.items():
        schema = client.read_deployment_by_name(name).parameter_openapi_schema
        assert schema["properties"]["config"]["$ref"] == f"#/definitions/{model}"
        definitions = schema["definitions"]
        assert definitions[model]["description"]
        for key, field in definitions[model]["properties"].items():
            target = field.get("$ref") or next((part["$ref"] for part in field.get("allOf", ())), None)
            described = definitions[target.rpartition("/")[2]] if target else field
            assert field.get("title") or described.get("title"), f"{model}.{key}"
    data = client.read_deployment_by_name("search/search").parameter_openapi_schema["definitions"]["Data"]
    assert "s3://" in data["properties"]["input"]["description"]


def test_the_defaults_are_a_valid_configuration(client: Any) -> None:
    from flows.approve import ApprovalPolicy

    for name, model in models().items():
        model.model_validate(client.read_deployment_by_name(name).parameters["config"])
    ApprovalPolicy.model_validate(client.read_deployment_by_name("approve-recipe/approve").parameters["policy"])


@pytest.mark.parametrize(
    ("name", "change", "named"),
    [
        ("watch-bucket/watch-bucket", {"repair_after": 0}, "repair_after|minimum|less than"),
        ("watch-bucket/watch-bucket", {"prefix": None}, "prefix|None is not of type"),
        ("on-upload/on-upload", {"max_drift": -1}, "max_drift|minimum|less than"),
        ("on-upload/on-upload", {"search_deployment": "search"}, "search_deployment|does not match"),
        ("process-dataset/process", {"recipe": 3}, "recipe|3 is not of type"),
        ("search/search", {"budget": {"rounds": 0}}, "rounds|minimum|less than"),
        ("search/search", {"data": {}}, "input"),
        ("search/search", {"sampling": {"method": "magic"}}, "magic|not one of"),
        ("search/search", {"polish": True}, "polish"),
    ],
)
def test_the_server_refuses_bad_parameters_before_a_run_starts(
    client: Any, name: str, change: dict[str, Any], named: str
) -> None:
    from prefect.exceptions import PrefectHTTPStatusError

    deployment = client.read_deployment_by_name(name)
    before = _runs(client)
    changed = {**GIVEN.get(name, {}), "config": {**deployment.parameters["config"], **change}}
    with pytest.raises(PrefectHTTPStatusError) as refused:
        client.create_flow_run_from_deployment(deployment.id, parameters=changed)
    assert 400 <= refused.value.response.status_code < 500
    assert re.search(named, refused.value.response.text), refused.value.response.text
    assert _runs(client) == before


def test_the_server_takes_good_parameters(client: Any) -> None:
    deployment = client.read_deployment_by_name("search/search")
    run = client.create_flow_run_from_deployment(
        deployment.id, parameters={"config": {**deployment.parameters["config"], "budget": {"rounds": 1}}}
    )
    assert run.parameters["config"]["budget"] == {"rounds": 1}
    client.delete_flow_run(run.id)


def test_bounds_of_the_approval_policy(client: Any) -> None:
    from prefect.exceptions import PrefectHTTPStatusError

    deployment = client.read_deployment_by_name("approve-recipe/approve")
    with pytest.raises(PrefectHTTPStatusError, match=r"409|422"):
        client.create_flow_run_from_deployment(deployment.id, parameters={"policy": {"auto_approve": 1.5}})


def test_the_environment_of_a_cluster(client: Any, prefect_server: str) -> None:
    """The same file with another environment's values: everything on S3, by the variables of whoever deploys."""
    prefect(
        prefect_server,
        "deploy",
        "--all",
        AUTODP_ENVIRONMENT="production",
        AUTODP_BUCKET="medical",
        AUTODP_RAY="ray://head:10001",
        AUTODP_VLLM="http://vllm:8000",
    )
    for name, model in models().items():
        config = model.model_validate(client.read_deployment_by_name(name).parameters["config"])
        assert config.store == "s3://medical/store"
    search = client.read_deployment_by_name("search/search")
    assert search.schedules[0].schedule.timezone == "Europe/Berlin"
    assert search.schedules[0].active
    assert len(search.schedules) == 1, "deploying again replaces a schedule"
    assert search.parameters["config"]["cluster"] == {"address": "ray://head:10001"}
    prefect(prefect_server, "deploy", "--all")


def test_an_automation_for_dead_runs(client: Any, prefect_server: str) -> None:
    prefect(prefect_server, "automation", "create", "--from-file", "deployments/automations/dead-runs.yaml")
    (automation,) = client.read_automations_by_name("mark dead runs as crashed")
    assert automation.enabled
    assert [a.type for a in automation.actions] == ["change-flow-run-state"]
    from prefect.settings import get_current_settings

    beats = get_current_settings().flows.heartbeat_frequency
    assert beats
    assert automation.trigger.within.total_seconds() >= 3 * beats, "else a healthy run is called dead"


def models() -> dict[str, Any]:
    """The model behind each deployment's form."""
    from flows.process import ProcessConfig
    from flows.uploads import UploadConfig
    from flows.watch import WatchConfig
    from operators.config import SearchConfig

    found = {m.__name__: m for m in (SearchConfig, ProcessConfig, UploadConfig, WatchConfig)}
    return {name: found[model] for name, model in CONFIGURED.items()}


def _runs(client: Any) -> int:
    return int(client.request("POST", "/flow_runs/count", json={}).json())
