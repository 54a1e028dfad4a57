"""What a person sees of a search in Prefect's UI: a real server, a real search, a real browser."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from browser import browser_page
from command_line import autodp_process
from object_store import free_ports
from tiny import search_json, write_config, write_set

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with browser_page() as page:
        yield page


@pytest.fixture(scope="module")
def ui(
    page: Any,  # noqa: ARG001 - skips first
    third_party_operators: Path,  # noqa: ARG001 - for the processes
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Address of the UI of a server that has seen a search of two rounds."""
    folder = tmp_path_factory.mktemp("ui")
    write_set(folder)
    changes = {"strategist": {"kind": "exhaustive"}, "budget": {"rounds": 2, "trials_per_round": 3, "trials": 6}}
    config = write_config(folder, name="seen", **changes)
    with server(folder) as address:
        # Prefect sends the events of a process to the first server that it has spoken to: a process of its own.
        done = autodp_process(f"{address}/api", "search", config, timeout=900)
        assert done.code == 0, done.err
        assert len(search_json(folder, "seen")["trials"]) == 6
        yield address


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """`prefect server start`: the server of `prefect_server` is an ephemeral one, which has no UI."""
    import httpx

    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            # The UI asks the API that this variable names, whatever the port is.
            env={**os.environ, "PREFECT_HOME": str(folder), "PREFECT_API_URL": f"{address}/api"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline = time.monotonic() + 300
            while True:
                assert process.poll() is None, "the server ended"
                assert time.monotonic() < deadline, "the server does not answer"
                with contextlib.suppress(httpx.HTTPError):
                    if httpx.get(f"{address}/api/health", timeout=5).is_success:
                        break
                time.sleep(0.5)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=60)


def ask(ui: str, path: str, **body: Any) -> list[dict[str, Any]]:
    import httpx

    found = httpx.post(f"{ui}/api{path}", json=body, timeout=60).raise_for_status().json()
    return list(found)


def artifact(ui: str, key: str) -> str:
    """Address of the latest artifact of a series."""
    (found,) = ask(ui, "/artifacts/latest/filter", artifacts={"key": {"any_": [key]}})
    return f"{ui}/artifacts/artifact/{found['latest_id']}"


def shown(page: Any, title: str) -> dict[str, float]:
    """An image's size as its bytes say, once the browser has drawn it."""
    image = page.get_by_alt_text(title)
    image.wait_for(state="visible")
    page.wait_for_function("title => document.querySelector(`img[alt='${title}']`).complete", arg=title)
    return dict(image.evaluate("e => ({width: e.naturalWidth, height: e.naturalHeight, seen: e.clientWidth})"))


@pytest.mark.parametrize("key", ["seen-trials", "seen-verdict"])
def test_plot_leaderboard_and_tree(page: Any, ui: str, key: str) -> None:
    page.goto(artifact(ui, key))
    page.get_by_role("heading", name="Leaderboard").wait_for()
    for title in ("Scores with their intervals", "Strategies as a tree of teams"):
        size = shown(page, title)
        assert size["width"] > 300, "the browser could read the picture"
        assert size["seen"] > 300, "and it is not shrunk to nothing"
    found, computed = page.locator("table").all()
    text = found.inner_text()
    for heading in ("rank", "round", "strategy", "score", "interval", "win / tie / loss", "rows"):
        assert heading in text
    for strategy in ("cleaning", "generation", "optimization", "selection", "cleaning > generation"):
        assert strategy in text
    assert "trained" in computed.inner_text() or "reused" in computed.inner_text()
    for table in (found, computed):
        right = table.evaluate(
            "e => { let p = e; while (p && getComputedStyle(p).overflowX == 'visible') p = p.parentElement;"
            " return [e.getBoundingClientRect().right, p.getBoundingClientRect().right]; }"
        )
        assert right[0] <= right[1] + 1, "no column is cut"
    body = page.inner_text("body")
    assert "flowchart" not in body
    assert "```" not in body
    if key == "seen-verdict":
        assert "sealed questions" in body
        assert "Verdict of seen" in body


def test_budget_and_report(page: Any, ui: str) -> None:
    page.goto(artifact(ui, "seen-budget"))
    page.get_by_text("Budget of seen after round 2").wait_for()
    rows = [line.split() for line in page.locator("table").first.inner_text().splitlines() if line.strip()]
    assert ["rounds", "2", "2"] in rows
    assert ["trials", "6", "6"] in rows
    page.goto(artifact(ui, "seen-report"))
    link = page.get_by_role("link", name="Report of seen")
    link.wait_for()
    assert Path(link.get_attribute("href").removeprefix("file://")).is_file()


def test_progress(page: Any, ui: str) -> None:
    found = ask(ui, "/artifacts/filter", artifacts={"type": {"any_": ["progress"]}}, sort="CREATED_DESC")
    page.goto(f"{ui}/artifacts/artifact/{found[0]['id']}")
    page.get_by_text("Progress: 100%").wait_for()
    page.get_by_text(found[0]["description"]).first.wait_for()


def test_all_artifacts_are_listed_with_what_they_are(page: Any, ui: str) -> None:
    page.goto(f"{ui}/artifacts")
    for key in ("seen-trials", "seen-verdict", "seen-budget", "seen-report"):
        page.get_by_text(key, exact=True).wait_for()
    for text in ("Trials of seen after round 2", "Verdict of seen", "Budget of seen after round 2"):
        page.get_by_text(text, exact=True).wait_for()
    assert "No description" not in page.inner_text("body")


def test_the_run_with_its_graph_and_named_parts(page: Any, ui: str) -> None:
    (run,) = ask(ui, "/flow_runs/filter", flow_runs={"name": {"any_": ["search seen"]}})
    page.goto(f"{ui}/runs/flow-run/{run['id']}")
    page.get_by_text("search seen").first.wait_for()
    graph = page.locator("canvas").first
    graph.wait_for(state="visible")
    assert graph.bounding_box()["height"] > 200
    page.get_by_text("Subflow Runs", exact=True).click()
    for name in ("round 1", "round 2"):
        page.get_by_text(name, exact=True).first.wait_for()
    page.goto("about:blank")  # the graph is drawn anew all the time, without a GPU by the processor
    tasks = ask(ui, "/task_runs/filter", flow_runs={"id": {"any_": [run["id"]]}}, limit=200)
    names = {t["name"] for t in tasks}
    assert {
        "fingerprint train.jsonl",
        "load train.jsonl",
        "load evaluation.jsonl",
        "sample",
        "publish seen",
    } <= names
    tasks = [t["name"] for t in ask(ui, "/task_runs/filter", limit=200)]
    assert "round 1 - fine-tune cleaning" in tasks
    assert "round 2 - cleaning > generation" in tasks


def test_the_form_of_a_deployment(page: Any, ui: str) -> None:
    for command in (["work-pool", "create", "autodp", "--type", "process", "--overwrite"], ["deploy", "--all"]):
        subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", *command],
            env={**os.environ, "PREFECT_API_URL": f"{ui}/api"},
            cwd=ROOT,
            check=True,
            capture_output=True,
            timeout=300,
        )
    (found,) = ask(ui, "/deployments/filter", deployments={"name": {"any_": ["search"]}})
    page.goto(f"{ui}/deployments/deployment/{found['id']}")
    page.get_by_text("Description", exact=True).click()
    page.get_by_text("Finds the processing that makes the fine-tuned model better").wait_for()
    page.goto(f"{ui}/deployments/deployment/{found['id']}/run")
    page.get_by_text("Everything a search depends on.").wait_for()
    for title, explained in (
        ("Input", "local path or s3:// URL"),
        ("Output", "Results go to the folder name below it: path or s3:// URL"),
        ("Batch size", "Conversations a step"),
        ("Rounds", "Rounds of proposing, processing, fine-tuning and judging"),
        ("Num GPUs", "GPUs of one fine-tune"),
        ("Base URL", "None: https://api.anthropic.com"),
    ):
        page.get_by_text(re.compile(rf"^\s*{title}( \(Optional\))?\s*$")).first.wait_for()
        page.get_by_text(explained).first.wait_for()
