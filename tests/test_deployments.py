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


def prefect(server: str, *args: str) -> str:
    """Runs Prefect's command line against the server; what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *args],
        env={**os.environ, "PREFECT_API_URL": server},
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
    """A client of a server with both deployments."""
    from prefect.client.orchestration import get_client

    prefect(prefect_server, "work-pool", "create", "autodp", "--type", "process")
    prefect(prefect_server, "deploy", "--all")
    with get_client(sync_client=True) as client:
        yield client


def test_both_deployments_are_there(client: Any) -> None:
    for name in ("search/search", "process-dataset/process"):
        deployment = client.read_deployment_by_name(name)
        assert deployment.work_pool_name == "autodp"
        assert deployment.enforce_parameter_schema
        assert deployment.description
        assert not deployment.pull_steps, "no directory of whoever deploys is baked in"
    assert client.read_deployment_by_name("search/search").global_concurrency_limit.limit == 1


def test_the_form_names_and_explains_every_field(client: Any) -> None:
    for name, model in (("search/search", "SearchConfig"), ("process-dataset/process", "ProcessConfig")):
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
    from flows.process import ProcessConfig
    from operators.config import SearchConfig

    SearchConfig.model_validate(client.read_deployment_by_name("search/search").parameters["config"])
    ProcessConfig.model_validate(client.read_deployment_by_name("process-dataset/process").parameters["config"])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"budget": {"rounds": 0}}, "rounds|minimum|less than"),
        ({"data": {}}, "input"),
        ({"sampling": {"method": "magic"}}, "magic|not one of"),
        ({"polish": True}, "polish"),
    ],
)
def test_the_server_refuses_bad_parameters_before_a_run_starts(
    client: Any, change: dict[str, Any], named: str
) -> None:
    from prefect.exceptions import PrefectHTTPStatusError

    deployment = client.read_deployment_by_name("search/search")
    before = _runs(client)
    with pytest.raises(PrefectHTTPStatusError) as refused:
        client.create_flow_run_from_deployment(
            deployment.id, parameters={"config": {**deployment.parameters["config"], **change}}
        )
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


def _runs(client: Any) -> int:
    return int(client.request("POST", "/flow_runs/count", json={}).json())
