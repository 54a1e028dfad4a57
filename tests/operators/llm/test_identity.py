"""What names a model in cache keys, asked of the server that serves it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from operators.config import Endpoint
from operators.llm import identity as module
from operators.llm.identity import identity
from operators.models import SMOLLM2, model_digest


@pytest.fixture
def listing() -> Iterator[Callable[..., str]]:
    """Starts a server whose list of models, and the status it comes with, are what it is given; its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(models: Any, statuses: Sequence[int] = (200,)) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(models).encode()
                self.send_response(statuses[0] if self.path == "/v1/models" else 404)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    def stop() -> None:
        for server in servers:
            server.shutdown()
            server.server_close()
        servers.clear()

    start.stop = stop  # type: ignore[attr-defined]
    yield start
    stop()


def test_two_models_under_one_name_are_two(listing):
    small, large = (
        Endpoint(model="rewriter", base_url=listing({"data": [{"id": "rewriter", "root": f"/models/{name}"}]}))
        for name in ("7B", "72B")
    )
    assert identity(small) != identity(large)
    assert identity(small) == identity(small.model_copy(update={"base_url": f"{small.base_url}/v1"}))


@pytest.mark.parametrize(
    "models",
    [
        {"data": [{"id": "rewriter", "root": "rewriter"}]},
        {"data": [{"id": "rewriter"}]},
        {"data": [{"id": "another", "root": "/models/7B"}]},
        {"data": "nothing"},
        [],
    ],
)
def test_a_server_that_does_not_tell_leaves_the_name(listing, models):
    assert identity(Endpoint(model="rewriter", base_url=listing(models))) == "rewriter"


def test_a_server_that_was_away_is_asked_again(listing, monkeypatch):
    url = listing({"data": [{"id": "judge", "root": "/models/7B"}]})
    endpoint = Endpoint(model="judge", base_url=url)
    monkeypatch.setattr(module, "_told", {(url, "judge"): (0.0, "judge")})
    assert identity(endpoint) == "judge: /models/7B"
    assert identity(Endpoint(model="judge", base_url="http://127.0.0.1:9")) == "judge"


@pytest.mark.parametrize("status", [401, 429, 503])
def test_a_server_that_does_not_say_now_is_what_it_last_was(listing, monkeypatch, status):
    told = {"data": [{"id": "judge", "root": "/models/7B"}]}
    statuses = [200]
    endpoint = Endpoint(model="judge", base_url=listing(told, statuses))
    assert identity(endpoint) == "judge: /models/7B"
    statuses[0] = status
    monkeypatch.setattr(module, "_told", {})
    assert identity(endpoint) == "judge: /models/7B"
    told["data"][0]["root"] = "/models/72B"
    statuses[0] = 200
    monkeypatch.setattr(module, "_told", {k: (0.0, root) for k, (_, root) in module._told.items()})
    assert identity(endpoint) == "judge: /models/72B", "it is asked again"


def test_a_server_that_is_away_is_what_it_last_was(listing, monkeypatch):
    endpoint = Endpoint(model="judge", base_url=listing({"data": [{"id": "judge", "root": "/models/7B"}]}))
    found = identity(endpoint)
    listing.stop()
    monkeypatch.setattr(module, "_told", {})
    assert identity(endpoint) == found == "judge: /models/7B"


def test_a_managed_model_is_its_weights():
    assert identity(Endpoint(model=SMOLLM2, managed=True)) == model_digest(SMOLLM2)


def test_hosted_models_are_their_names():
    assert identity(Endpoint(model="claude-sonnet-4-5")) == "claude-sonnet-4-5"


@pytest.mark.e2e
def test_vllm_tells_what_it_serves(vllm_server):
    found = identity(Endpoint(model=vllm_server.model, base_url=vllm_server.base_url))
    assert found.startswith(f"{vllm_server.model}: /")
