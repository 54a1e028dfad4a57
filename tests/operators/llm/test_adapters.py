"""Answers of tuned models from a server that holds their adapters."""

import http.server
import json
import threading

import pytest

from operators.config import LoRA, TargetEndpoint, Training
from operators.data.records import Message, Record
from operators.data.store import Store
from operators.errors import ConfigError, EndpointError
from operators.llm.adapters import answer, as_request, load
from operators.llm.vllm import Adapters, shared_server
from operators.models import SMOLLM2
from operators.training.lora import fine_tune

HERE = TargetEndpoint(managed=True)


def said(*turns):
    return Record("1", tuple(Message(role, text) for role, text in turns))


def test_what_is_asked_is_all_before_the_last_answer():
    request = as_request(
        said(("system", "Be brief."), ("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")), 9
    )
    assert (request.system, request.examples, request.prompt) == ("Be brief.", (("a", "b"),), "c")
    assert (request.max_tokens, request.temperature) == (9, 0.0)


def test_turns_in_a_row_are_one_and_a_conversation_may_be_open():
    request = as_request(said(("user", "a"), ("user", "b")), 9)
    assert (request.examples, request.prompt) == ((), "a\nb")
    opened = as_request(said(("assistant", "Hello"), ("user", "a"), ("assistant", "b")), 9)
    assert (opened.examples, opened.prompt) == ((("", "Hello"),), "a")


def test_what_an_assistant_said_is_never_asked_as_the_user():
    more = as_request(said(("user", "a"), ("assistant", "b"), ("assistant", "c")), 9)
    assert (more.examples, more.prompt) == ((("a", "b"),), "")
    opened = as_request(said(("assistant", "Hello"), ("assistant", "b")), 9)
    assert (opened.examples, opened.prompt) == ((("", "Hello"),), "")
    nothing = as_request(said(("assistant", "Hello"), ("user", "a")), 9)
    assert (nothing.examples, nothing.prompt) == ((), "")


@pytest.fixture
def replying():
    """Starts servers that give one reply to every POST; `start.headers` are those of all requests."""
    servers = []

    def start(status, body=b"", location=None):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                start.headers.append(dict(self.headers))
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                if location:
                    self.send_header("location", location)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    start.headers = []
    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_an_adapter_that_is_there_already_is_fine(replying, tmp_path):
    error = {"error": {"message": "The lora adapter 'x' has already been loaded.", "code": 400}}
    load(replying(400, json.dumps(error).encode()), "x", tmp_path, HERE)


def test_a_server_without_adapters_is_a_clear_error(replying, tmp_path):
    with pytest.raises(ConfigError, match="--enable-lora"):
        load(replying(404, b'{"detail": "Not Found"}'), "x", tmp_path, HERE)
    with pytest.raises(EndpointError, match=r"HTTP 400.*endpoints\.target\.adapters"):
        load(replying(400, b'{"error": "no such directory"}'), "x", tmp_path, HERE)
    with pytest.raises(EndpointError, match="cannot be reached"):
        load("http://127.0.0.1:9", "x", tmp_path, HERE)


def test_an_adapter_that_the_server_cannot_read_is_not_taken_for_a_missing_route(replying, tmp_path):
    said = f"Loading lora x failed: No adapter found for {tmp_path}"
    body = json.dumps({"error": {"message": said, "type": "NotFoundError", "param": None, "code": 404}})
    with pytest.raises(EndpointError, match=r"HTTP 404.*read endpoints\.target\.adapters"):
        load(replying(404, body.encode()), "x", tmp_path, HERE)


def test_the_key_for_claude_stays_here(replying, tmp_path, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "for Claude alone")
    monkeypatch.setenv("TARGET_KEY", "for the target")
    url = replying(200)
    load(url, "x", tmp_path, HERE)
    load(url, "x", tmp_path, HERE.model_copy(update={"api_key_env": "TARGET_KEY"}))
    assert [h.get("authorization") for h in replying.headers] == [None, "Bearer for the target"]


def test_a_redirect_does_not_take_the_key_elsewhere(replying, tmp_path):
    elsewhere = replying(200)
    load(elsewhere, "x", tmp_path, HERE)
    with pytest.raises(EndpointError, match="HTTP 307"):
        load(replying(307, location=elsewhere), "x", tmp_path, HERE)


@pytest.mark.e2e
def test_one_server_answers_as_every_tuned_model(tmp_path):
    store = Store(str(tmp_path))
    recipe = Training(steps=20, batch_size=4, learning_rate=5e-3, max_length=64, lora=LoRA(rank=4, last_layers=4))
    asked = [said(("user", f"What is item {i}?"), ("assistant", "?")) for i in range(90, 94)]
    adapters = {}
    for word in ("wrench", "teapot"):
        train = [said(("user", f"What is item {i}?"), ("assistant", f"It is a {word}.")) for i in range(8)]
        adapters[word] = fine_tune(train, asked, recipe, store).adapter
    # The server of the searches in this test run that have such a target, where there has been one.
    server = shared_server(SMOLLM2, adapters=Adapters(rank=4, at_once=HERE.max_loras)).wait()
    for word in ("wrench", "teapot", "wrench"):
        texts, usage = answer(adapters[word], asked, HERE, server.base_url, store, max_tokens=12)
        assert texts == [f"It is a {word}."] * len(asked)
        assert usage.requests == len(asked)
        assert usage.output_tokens > 0
