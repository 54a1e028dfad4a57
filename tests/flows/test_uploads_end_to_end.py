"""Uploads to a real object store start real runs: SeaweedFS tells the receiver, the receiver Prefect's server, an
automation starts a run, a worker runs it, and the result appears in the object store."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from object_store import BUCKET
from site_of_services import ROOT, TOKEN, Site, site
from tiny import rows, settings
from upload_recipes import STUCK, as_lines, publish_recipe, records

pytestmark = [pytest.mark.e2e, pytest.mark.load, pytest.mark.timeout(1500)]

BURST = 20
CHAINS: dict[str, Any] = {
    "cleaning": [{"name": "fix_text"}, {"name": "repetition", "params": {"action": "drop"}}],
    "generation": [],
    "optimization": [],
    "selection": [],
}


def search_settings(folder: Path) -> dict[str, Any]:
    """One trial of one team; what it finds does not matter here."""
    found = settings(
        folder,
        teams=CHAINS,
        data={"input": "replaced", "evaluation": f"s3://{BUCKET}/evaluation.jsonl"},
        store="replaced",
        output=f"s3://{BUCKET}/runs",
        strategist={"kind": "exhaustive"},
        budget={"trials_per_round": 1},
    )
    found.pop("name")
    return found


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Everything running; data set `med` has an approved recipe with a summary of its set, `burst` one without."""
    folder = tmp_path_factory.mktemp("site")
    med = publish_recipe(folder / "med", "med", records(80, seed=5))
    burst = publish_recipe(folder / "burst", "burst")
    values = {
        "on_upload": {"claim_seconds": 8, "search": search_settings(folder), "cluster": {"num_cpus": 2}},
        "watch_bucket": {"repair_after": 30},
    }
    with site(folder, values) as running:
        running.fs.pipe_file(f"{BUCKET}/evaluation.jsonl", as_lines(rows(30, seed=9)))
        with pytest.MonkeyPatch.context() as patch:
            for name, value in running.access.items():
                patch.setenv(name, value)
            from operators.approvals import approve

            for name, run in (("med", med), ("burst", burst)):
                approve(running.store, name, str(run), by="Ada")
            yield running


def settled(here: Site) -> list[dict[str, Any]]:
    """Every outcome in the ledger."""
    found = here.fs.find(f"{here.store}/uploads")
    return [json.loads(here.fs.cat_file(name)) for name in found if name.endswith("outcome.json")]


def client(here: Site) -> httpx.Client:
    return httpx.Client(base_url=here.api, timeout=30)


def ask(here: Site, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """What Prefect's API answers; asked again where its SQLite file is locked (503), as Prefect's clients do."""

    def answer() -> httpx.Response | None:
        with client(here) as api, contextlib.suppress(httpx.TransportError):
            found = api.request(method, path, json=body)
            return None if found.status_code == 503 else found
        return None

    return here.wait_for(answer).raise_for_status().json()


def deployment(here: Site, name: str) -> dict[str, Any]:
    return dict(ask(here, "GET", f"/deployments/name/{name}"))


def start(here: Site, name: str, parameters: dict[str, Any] | None = None) -> str:
    """Starts a run of a deployment; its id."""
    body = {
        "parameters": parameters or {},
        "state": {"type": "SCHEDULED"},
        "idempotency_key": uuid.uuid4().hex,  # asked twice, it is one run
    }
    return str(ask(here, "POST", f"/deployments/{deployment(here, name)['id']}/create_flow_run", body)["id"])


def state_of(here: Site, run: str) -> dict[str, Any]:
    return dict(ask(here, "GET", f"/flow_runs/{run}")["state"])


def runs_of(here: Site, name: str) -> list[dict[str, Any]]:
    body = {"deployments": {"id": {"any_": [deployment(here, name)["id"]]}}, "limit": 200}
    return list(ask(here, "POST", "/flow_runs/filter", body))


def test_an_object_delivered_five_times_gives_one_result(here: Site) -> None:
    data = records(40, seed=5)
    here.fs.pipe_file(f"{BUCKET}/uploads/med/a.jsonl", as_lines(data))  # SeaweedFS delivers once by itself
    etag = here.fs.info(f"{BUCKET}/uploads/med/a.jsonl")["ETag"].strip('"')
    body = {
        "Records": [
            {
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": BUCKET}, "object": {"key": "uploads/med/a.jsonl", "eTag": etag}},
            }
        ]
    }
    for _ in range(4):
        answer = httpx.post(here.receiver, json=body, headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.json() == {"objects": 1, "events": 1}
    made = f"{BUCKET}/processed/med/a.jsonl"
    here.wait_for(lambda: here.fs.exists(made))
    lines = [json.loads(line) for line in here.fs.cat_file(made).splitlines()]
    assert lines == [r for r in data if r["answer"] != STUCK]
    # A pass of the watcher knows that it is done; so does a run that is asked for it outright.
    passed = start(here, "watch-bucket/watch-bucket")
    (first,) = runs_of(here, "on-upload/on-upload")
    again = start(here, "on-upload/on-upload", {"upload": first["parameters"]["upload"]})
    here.wait_for(lambda: state_of(here, passed)["type"] == state_of(here, again)["type"] == "COMPLETED")
    assert state_of(here, again)["name"] == "Duplicate"
    (outcome,) = settled(here)
    assert (outcome["status"], outcome["rows_in"], outcome["rows_out"]) == ("processed", 40, 20)
    names = Counter(r["state"]["name"] for r in runs_of(here, "on-upload/on-upload"))
    assert names == {"Completed": 1, "Duplicate": 1}, "five deliveries were one event"


def test_the_receiver_refuses_what_is_not_for_it(here: Site) -> None:
    known = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.post(here.receiver, content=b"{}", headers=known).status_code == 400
    assert httpx.post(here.receiver, content=b"{}").status_code == 401
    assert httpx.post(here.receiver, content=b"{}", headers={"Authorization": "Bearer no"}).status_code == 401
    assert httpx.post(here.receiver, content=b" " * (1 << 21), headers=known).status_code == 413
    elsewhere = {"bucket": {"name": BUCKET}, "object": {"key": "store/approvals/x.jsonl", "eTag": "1"}}
    body = {"Records": [{"eventName": "ObjectCreated:Put", "s3": elsewhere}]}
    assert httpx.post(here.receiver, json=body, headers=known).json() == {"objects": 1, "events": 0}


def test_twenty_uploads_at_once_and_a_worker_that_dies(here: Site) -> None:
    before = len(settled(here))
    for i in range(BURST):
        here.fs.pipe_file(f"{BUCKET}/uploads/burst/{i:02d}.jsonl", as_lines(records(10, seed=100 + i)))

    def done() -> int:
        return len(here.fs.glob(f"{BUCKET}/processed/burst/*.jsonl"))

    here.wait_for(lambda: done() >= 3, 500)  # every run starts a Ray of its own
    here.kill_worker()
    assert done() < BURST, "the worker died in the middle"
    here.start_worker()

    def repaired() -> bool:
        start(here, "watch-bucket/watch-bucket")  # what the schedule does every few minutes
        return len(settled(here)) - before >= BURST

    here.wait_for(repaired, seconds=500, every=30)
    outcomes = [o for o in settled(here) if "/burst/" in o["upload"]["uri"]]
    assert Counter(o["status"] for o in outcomes) == {"processed": BURST}
    assert len({o["upload"]["uri"] for o in outcomes}) == BURST
    for i in range(BURST):
        made = here.fs.cat_file(f"{BUCKET}/processed/burst/{i:02d}.jsonl").splitlines()
        expected = [r for r in records(10, seed=100 + i) if r["answer"] != STUCK]
        assert [json.loads(line) for line in made] == expected


@pytest.fixture(scope="module")
def approved(here: Site) -> dict[str, Any]:
    """The state of things after an upload of a new data set went all the way: searched for, found, approved by a
    person, processed."""
    here.fs.pipe_file(f"{BUCKET}/uploads/new/a.jsonl", as_lines(records(40, seed=7)))
    asked = here.wait_for(
        lambda: [r for r in runs_of(here, "approve-recipe/approve") if r["state"]["name"] == "Suspended"], 400
    )
    (waiting,) = [r for r in runs_of(here, "on-upload/on-upload") if "/new/" in r["name"]]
    assert waiting["state"]["name"] == "Searching"
    assert not here.fs.exists(f"{BUCKET}/processed/new/a.jsonl")
    run = asked[0]
    # Nobody answers within a second. Prefect's worker ends with an error where a run is resumed before the process
    # that suspended it has left ("already holding one of this CapacityLimiter's tokens").
    time.sleep(15)
    with client(here) as api:
        form = state_of(here, run["id"])["state_details"]["run_input_keyset"]
        description = api.get(f"/flow_runs/{run['id']}/input/{form['description']}").json()
        schema = api.get(f"/flow_runs/{run['id']}/input/{form['schema']}").json()
        answer = {"approve": True, "by": "Grace", "note": "looks right"}
        resumed = api.post(f"/flow_runs/{run['id']}/resume", json={"run_input": answer}).raise_for_status().json()
        assert resumed["status"] == "ACCEPT"
    here.wait_for(lambda: here.fs.exists(f"{BUCKET}/processed/new/a.jsonl"))
    return {"run": run, "description": description, "schema": schema}


def test_a_new_data_set_is_searched_and_a_person_approves(here: Site, approved: dict[str, Any]) -> None:
    from operators.approvals import approved as in_force

    shown = str(approved["description"])
    assert "sealed questions" in shown
    assert "| rank | round | strategy |" in shown
    assert "in the sample that strategies were compared on" in shown
    assert "again again" not in shown, "no record text"
    assert set(approved["schema"]["properties"]) == {"approve", "by", "note"}
    approval = in_force(here.store, "new")
    assert approval is not None
    assert (approval.by, approval.note) == ("Grace", "looks right")
    found = approval.found_in
    assert here.fs.cat_file(f"{BUCKET}/processed/new/a.jsonl") == here.fs.cat_file(f"{found}/processed.jsonl")
    (outcome,) = [o for o in settled(here) if "/new/" in o["upload"]["uri"]]
    assert (outcome["status"], outcome["recipe"]) == ("processed", approval.recipe)


def test_records_of_another_kind_are_searched_for_again(here: Site, approved: dict[str, Any]) -> None:  # noqa: ARG001
    """The recipe of `med` was found on other records; the new upload waits for a search of its own."""
    strange = [
        {"question": f"SELECT {i} FROM t{i}", "answer": f"INSERT INTO q{i * 7} VALUES ({i}, 0x{i * 31:x}); COMMIT"}
        for i in range(60)
    ]
    here.fs.pipe_file(f"{BUCKET}/uploads/med/strange.jsonl", as_lines(strange))

    def searching() -> list[dict[str, Any]]:
        return [r for r in runs_of(here, "on-upload/on-upload") if r["name"].endswith("med/strange.jsonl")]

    (run,) = here.wait_for(lambda: [r for r in searching() if r["state"]["name"] == "Searching"])
    assert run["state"]["name"] == "Searching"
    assert any(r["name"].startswith("search med-") for r in runs_of(here, "search/search"))


def test_another_machine_with_the_same_store_repeats_the_search_without_work(
    here: Site, approved: dict[str, Any], tmp_path: Path
) -> None:
    """Another working directory, PREFECT_HOME, server and cache; only the object store is the same."""
    (first,) = [r for r in runs_of(here, "search/search") if r["name"].startswith("search new-")]
    config = {**first["parameters"]["config"], "output": str(tmp_path / "runs"), "name": "again"}
    # The upload's copy is cleared away once it is processed; the upload itself is still there.
    config["data"]["input"] = f"{here.prefix}/new/a.jsonl"
    (tmp_path / "search.yaml").write_text(yaml.safe_dump(config))
    cache = Path(os.environ["AUTODP_CACHE"])
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "models").symlink_to(cache / "models")  # 270 MB that every machine has converted
    environment = {
        **{k: v for k, v in here.environment.items() if not k.startswith("PREFECT")},
        "PREFECT_HOME": str(tmp_path / "home"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "AUTODP_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "search", str(tmp_path / "search.yaml")],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr
    work = json.loads((tmp_path / "runs" / "again" / "search.json").read_text())["work"]
    assert work["team_runs_requested"] > 0
    assert work["fine_tunes_requested"] > 0
    assert (work["team_runs_executed"], work["fine_tunes_executed"]) == (0, 0)
    found = str(approved["run"]["parameters"]["run"])
    assert (tmp_path / "runs" / "again" / "processed.jsonl").read_bytes() == here.fs.cat_file(
        f"{found}/processed.jsonl"
    )
