"""Joining a cluster, and what it says when that fails.

Ray's processes end with the thread that started them, and a search's first job may come from a short one. Each in
a process of its own: Ray reads its environment once, and stays in the mode it was first used in.
"""

import contextlib
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from operators.errors import ConfigError, Unreachable
from operators.jobs import ClusterAway, _not_joined

SCRIPT = """
import threading, time
from operators import jobs
from operators.config import Cluster

here = Cluster(num_cpus=1)
first = threading.Thread(target=jobs.connect, args=(here,))
first.start()
first.join()
time.sleep(3)
print(jobs.run(str.format, "it works", cluster=here))
"""

JOIN = """
import sys
from operators import jobs
from operators.config import Cluster
from operators.errors import ConfigError, Unreachable

try:
    jobs.connect(Cluster(address=sys.argv[1]))
except ConfigError as e:
    print(isinstance(e, Unreachable), e)
"""
FROM_OUTSIDE = """
import sys
from operators import jobs
from operators.config import Cluster

print(jobs.run(str.format, "it works", cluster=Cluster(address=sys.argv[1])))
"""


def python(script: str, *arguments: str, timeout: float = 120, **environment: str) -> str:
    command = [sys.executable, "-c", script, *arguments]
    env = os.environ | environment
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=env)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


@pytest.mark.parametrize("scheme", ["ray://", ""])
@pytest.mark.timeout(60)  # Ray alone tries such an address for minutes
def test_where_no_ray_answers_the_address_and_the_fix_are_named(scheme: str) -> None:
    said = python(JOIN, f"{scheme}somebody:a-password@127.0.0.1:1")
    assert said.startswith(f"True no Ray answers at cluster.address {scheme}127.0.0.1:1: start its head")
    assert "RAY_AUTH_TOKEN" in said
    assert "a-password" not in said


def test_what_is_no_address_is_wrong_for_good() -> None:
    said = python(JOIN, "gibberish")
    assert said.startswith("False cluster.address gibberish is no address of a cluster: give ray://HEAD:10001")


def test_an_error_of_ray_is_not_quoted() -> None:
    error = _not_joined(RuntimeError("a record"), "ray://head:10001?token=secret")
    assert "cluster.address ray://head:10001 cannot be joined (RuntimeError)" in str(error)
    assert not re.search("a record|secret", str(error))
    assert isinstance(error, ConfigError)
    assert not isinstance(error, Unreachable)  # an upload is not tried again for it


def test_a_cluster_that_is_away_may_come_back() -> None:
    assert isinstance(_not_joined(ConnectionError("text"), "head:6379"), ClusterAway)
    refused = _not_joined(ConnectionAbortedError("text"), "ray://head:10001")
    assert isinstance(refused, ClusterAway)
    assert "begins no session" in str(refused)
    assert issubclass(ClusterAway, ConfigError)
    assert issubclass(ClusterAway, Unreachable)


def test_a_missing_client_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert "needs the package ray[client]" in str(_not_joined(ValueError("text"), "ray://head:10001"))


@pytest.mark.e2e
@pytest.mark.load  # beside the many processes of a whole test run, the head's proxy may begin no session in time
def test_a_job_from_outside_a_cluster_with_a_token() -> None:
    """Through Ray Client, as a worker does that is no node: what the locked packages must be able to do."""
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    port, client = free_port(), free_port()
    ray = [
        str(Path(sys.executable).with_name("ray")),
        "start",
        "--head",
        "--num-cpus=1",
        "--include-dashboard=false",
    ]
    with tempfile.TemporaryDirectory(prefix="ray-") as home:  # short: sockets lie below it
        ray += [f"--port={port}", f"--ray-client-server-port={client}", f"--temp-dir={home}", "--block"]
        head = subprocess.Popen(
            ray,
            env=os.environ | token | {"RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "200"},  # cores may be busy
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            said = python(
                FROM_OUTSIDE,
                f"ray://127.0.0.1:{client}",
                timeout=400,
                RAY_CLIENT_INITIAL_CONNECTION_TIMEOUT_S="60",
                RAY_CLIENT_MAX_CONNECTION_TIMEOUT_S="60",
                **token,
            )
        finally:
            os.killpg(head.pid, signal.SIGTERM)
            try:
                head.wait(60)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(head.pid, signal.SIGKILL)
    assert said == "it works"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.mark.e2e
def test_ray_outlives_the_thread_that_asked_for_it():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "it works", done.stderr[-2000:]
