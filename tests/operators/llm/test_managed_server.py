"""The life of the server process, with a small stand-in for vLLM where no model is needed."""

import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from operators.errors import ConfigError, EndpointError
from operators.llm import vllm
from operators.llm.client import LLMClient, Request
from operators.llm.vllm import ManagedServer, shared_server, stop_shared

# Stands where vLLM's interpreter would: gets its command line, and has a child of its own as vLLM has.
STAND_IN = """#!{python}
import http.server, os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
args = dict(zip(sys.argv, sys.argv[1:]))
{body}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("content-length", "0"); self.end_headers()
    def log_message(self, *a): pass
print("secret:", os.environ.get("MY_API_KEY"), "args:", sys.argv, flush=True)
http.server.HTTPServer((args["--host"], int(args["--port"])), Handler).serve_forever()
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    monkeypatch.setattr(vllm, "default_cache", lambda: tmp_path)
    monkeypatch.setattr(vllm.supervise, "GRACE_SECONDS", 2.0)

    def make(body=""):
        file = tmp_path / "python"
        file.write_text(STAND_IN.format(python=sys.executable, body=body))
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        return file

    return make


def group_members(group):
    listing = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listing.splitlines()]
    return [int(pid) for pid, pgid, state in rows if int(pgid) == group and not state.startswith("Z")]


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_starts_answers_and_ends_with_all_its_children(stand_in, tmp_path, monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "do-not-pass-on")
    with ManagedServer(str(tmp_path), python=stand_in()) as server:
        assert server.base_url.startswith("http://127.0.0.1:")
        group = server._process.pid
        assert len(group_members(group)) == 3
        log = server.log.read_text()
    assert group_members(group) == []
    assert not server.running
    assert "--no-enable-log-requests" in log
    assert "do-not-pass-on" not in log
    assert server.log.stat().st_mode & 0o077 == 0


def test_a_server_that_fails_is_reported_by_type_and_log_only(stand_in, tmp_path):
    server = ManagedServer(str(tmp_path), python=stand_in("raise MemoryError('CANARY patient text')"))
    with pytest.raises(
        EndpointError, match=r"ended before it answered \(MemoryError\); its log is .*\.log"
    ) as caught:
        server.start().wait(30)
    assert "CANARY" not in str(caught.value)
    assert "CANARY" in server.log.read_text()


def test_an_engine_that_fails_is_reported_by_its_own_error(stand_in, tmp_path):
    """As vLLM tells it: the engine's process logs why it ended, and the server then raises an error of its own."""
    why = (
        "(EngineCore pid=7) ERROR 11-27 03:08:26 [core.py:1330] ModuleNotFoundError: No module named 'flashinfer'"
    )
    fail = f'print("{why}", flush=True); raise RuntimeError("Engine core initialization failed. See above.")'
    server = ManagedServer(str(tmp_path), python=stand_in(fail))
    with pytest.raises(EndpointError, match=r"ended before it answered \(ModuleNotFoundError\)"):
        server.start().wait(30)


def test_a_server_that_never_answers_is_stopped(stand_in, tmp_path):
    server = ManagedServer(str(tmp_path), python=stand_in("time.sleep(600)")).start()
    group = server._process.pid
    with pytest.raises(EndpointError, match="did not answer within 1 s"):
        server.wait(1)
    assert group_members(group) == []


def test_it_dies_with_a_parent_that_is_killed(stand_in, tmp_path):
    code = f"""
import os, sys, time, threading
os.environ["AUTODP_CACHE"] = {str(tmp_path)!r}
from operators.llm.vllm import ManagedServer
def start():
    server = ManagedServer({str(tmp_path)!r}, python={str(stand_in())!r}).start().wait(60)
    print(server._process.pid, flush=True)
thread = threading.Thread(target=start); thread.start(); thread.join()
time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    group = int(parent.stdout.readline())
    time.sleep(1)  # it outlives the thread that started it
    assert len(group_members(group)) == 3
    parent.kill()
    parent.wait()
    wait_until(lambda: group_members(group) == [])


def test_a_killed_supervisor_takes_the_server_with_it(stand_in, tmp_path):
    server = ManagedServer(str(tmp_path), python=stand_in()).start().wait(30)
    os.kill(server._process.pid, signal.SIGKILL)
    server._process.wait()
    wait_until(lambda: not server._answers())
    server.start().wait(30)  # and it can be started again
    server.stop()


def test_one_server_a_model_in_a_process(stand_in, tmp_path, monkeypatch):
    monkeypatch.setenv(vllm.PYTHON_ENV, str(stand_in()))
    first, second = shared_server(str(tmp_path)), shared_server(str(tmp_path))
    try:
        assert first is second
        assert first.wait(30).base_url == second.base_url
    finally:
        stop_shared()
    assert not first.running


def test_a_server_takes_its_share_of_a_gpu(stand_in, tmp_path, monkeypatch):
    monkeypatch.setenv(vllm.PYTHON_ENV, str(stand_in()))
    first = shared_server(str(tmp_path), gpu_memory_share=0.4)
    try:
        assert "'--gpu-memory-utilization', '0.4'" in first.wait(30).log.read_text()
        assert shared_server(str(tmp_path), gpu_memory_share=0.4) is first
    finally:
        stop_shared()
    assert "gpu_memory_utilization" not in vllm.engine_arguments(tmp_path), "vLLM's own default"


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ('{"max_position_embeddings": 2048}', 2048),
        ('{"text_config": {"max_position_embeddings": 1024}}', 1024),
        ('{"max_position_embeddings": 32768}', vllm.MAX_MODEL_LEN),
        ("{}", vllm.MAX_MODEL_LEN),
        ("no JSON", vllm.MAX_MODEL_LEN),
    ],
)
def test_a_server_holds_no_more_than_its_model_does(tmp_path, config, tokens):
    (tmp_path / "config.json").write_text(config)
    assert vllm.engine_arguments(tmp_path)["max_model_len"] == tokens


def test_decoding_steps_are_graphs_on_a_gpu_alone(tmp_path, monkeypatch):
    found = {}
    for there in (False, True):
        monkeypatch.setattr("torch.cuda.is_available", lambda there=there: there)
        monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda **_: True)
        found[there] = vllm.engine_arguments(tmp_path)
    assert found[False]["enforce_eager"]
    assert "compilation_config" not in found[False]
    assert not found[True]["enforce_eager"]
    assert found[True]["compilation_config"] == vllm.DECODING_GRAPHS


def test_an_argument_of_the_engine_can_be_replaced_and_left_out(tmp_path):
    engine = {"block_size": 16, "dtype": None, "some_sizes": {"a": 1}}
    server = ManagedServer("m", python=sys.executable, engine=engine)
    command = server._command(tmp_path)
    assert command[command.index("--block-size") + 1] == "16"
    assert command[command.index("--some-sizes") + 1] == '{"a": 1}'
    assert "--dtype" not in command


def test_a_server_holds_what_its_tasks_need(stand_in, tmp_path, monkeypatch):
    monkeypatch.setenv(vllm.PYTHON_ENV, str(stand_in()))
    try:
        usual, longer = shared_server(str(tmp_path)), shared_server(str(tmp_path), max_model_len=8320)
        assert usual is not longer
        assert "'--max-model-len', '8320'" in longer.wait(30).log.read_text()
    finally:
        stop_shared()


def test_a_missing_environment_is_explained(monkeypatch):
    monkeypatch.setenv(vllm.PYTHON_ENV, "/nowhere/python")
    with pytest.raises(ConfigError, match=r"/nowhere/python does not exist; create it from requirements/vllm.txt"):
        ManagedServer("smollm2-135m-instruct")


@pytest.mark.e2e
def test_vllm_serves_the_built_in_model(vllm_server):
    from operators.config import Endpoint
    from operators.llm.prompts import data_block, strings, system_prompt

    llm = LLMClient(Endpoint(managed=True), base_url=vllm_server.base_url)
    texts = [f"The patient CANARY-{i} has an abnormal number of fingers." for i in range(24)]
    requests = [
        Request(data_block({"text": t}) + "\nRepeat it.", system_prompt("You repeat."), 96, schema=strings("text"))
        for t in texts
    ]
    answers = llm.complete(requests)
    good = [a for a in answers if a.error is None]
    assert all(set(a.parsed) == {"text"} for a in good)
    assert len(good) >= 12
    assert {a.error for a in answers} <= {None, "truncated"}
    assert llm.usage.input_tokens > 24 * 40
    again = [a.text for a in llm.complete(requests)]
    # Greedy, but sums round differently from batch to batch.
    assert sum(a == b.text for a, b in zip(again, answers, strict=True)) >= 20
    bad = llm.complete([Request("x " * 5000, max_tokens=8)])
    assert bad[0].error == "rejected"
    assert "CANARY" not in vllm_server.log.read_text()
