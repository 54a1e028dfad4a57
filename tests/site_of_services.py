"""Everything that runs when uploads come in, each a process of its own: Prefect's server, a worker, S3, the
receiver, Ray. Nothing is simulated."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from object_store import BUCKET, free_ports, seaweedfs

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "a-token-of-the-test"


@dataclass
class Site:
    """Running services and how to reach them."""

    folder: Path
    api: str
    receiver: str
    access: dict[str, str]
    environment: dict[str, str]
    worker: subprocess.Popen[bytes] | None = None
    prefix: str = f"s3://{BUCKET}/uploads"
    store: str = f"s3://{BUCKET}/store"
    output: str = f"s3://{BUCKET}/processed"
    logs: list[Path] = field(default_factory=list)

    @property
    def fs(self) -> Any:
        """The object store, without a listing kept from before."""
        import s3fs

        fs = s3fs.S3FileSystem(
            endpoint_url=self.access["AWS_ENDPOINT_URL"],
            key=self.access["AWS_ACCESS_KEY_ID"],
            secret=self.access["AWS_SECRET_ACCESS_KEY"],
        )
        fs.invalidate_cache()
        return fs

    def start(self, name: str, *command: str, new_group: bool = False) -> subprocess.Popen[bytes]:
        """Starts a Python module as a process with a log of its own."""
        log = self.folder / f"{name}-{len(self.logs)}.log"
        self.logs.append(log)
        with log.open("wb") as out:
            return subprocess.Popen(
                [sys.executable, "-m", *command],
                env=self.environment,
                cwd=ROOT,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=new_group,
            )

    def prefect(self, *args: str) -> str:
        """Runs Prefect's command line; what it said."""
        done = subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", *args],
            env=self.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def start_worker(self, limit: int = 2) -> None:
        """Starts the worker of the pool; `limit` runs at a time."""
        self.worker = self.start(
            "worker", "prefect", "worker", "start", "--pool", "autodp", "--limit", str(limit), new_group=True
        )

    def kill_worker(self) -> None:
        """What the death of its machine does to the worker: SIGKILL, to every run as well."""
        import psutil

        assert self.worker is not None
        parent = psutil.Process(self.worker.pid)
        for process in [*parent.children(recursive=True), parent]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.worker.wait()

    def wait_for(self, what: Callable[[], Any], seconds: float = 240, every: float = 0.5) -> Any:
        """What `what` returns as soon as that is something; asked every so many seconds."""
        deadline = time.monotonic() + seconds
        while not (found := what()):
            if time.monotonic() > deadline:
                tails = "\n".join(f"== {p.name}\n{p.read_text(errors='replace')[-3000:]}" for p in self.logs)
                raise AssertionError(f"nothing after {seconds} s\n{tails}")
            time.sleep(every)
        return found


@contextmanager
def site(folder: Path, values: dict[str, Any]) -> Iterator[Site]:
    """Starts everything and deploys with the local environment's values, those given here merged in."""
    ports = free_ports(2)
    api, receiver = f"http://127.0.0.1:{ports[0]}/api", f"http://127.0.0.1:{ports[1]}/"
    with ExitStack() as stack:
        (folder / "s3").mkdir()
        access = stack.enter_context(seaweedfs(folder / "s3", webhook=receiver, token=TOKEN))
        environment = {
            **os.environ,
            **access,
            "PREFECT_HOME": str(folder / "home"),
            "PREFECT_API_URL": api,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "AUTODP_ENVIRONMENT": str(folder / "here"),
            "AUTODP_RECEIVER_TOKEN": TOKEN,
        }
        here = Site(folder, api, receiver, access, environment)
        server = here.start("server", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(ports[0]))
        stack.callback(_stop, server)
        listening = here.start("receiver", "flows.cli", "receive", here.prefix, "--port", str(ports[1]))
        stack.callback(_stop, listening)
        (folder / "here.yaml").write_text(yaml.safe_dump(_environment(here, values)))
        here.wait_for(lambda: _answers(f"{api}/health") and _answers(f"{receiver}health"))
        here.prefect("work-pool", "create", "autodp", "--type", "process")
        here.prefect("deploy", "--all")
        stack.callback(lambda: here.worker and here.worker.poll() is None and here.kill_worker())
        here.start_worker()
        yield here


def _environment(here: Site, values: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load((ROOT / "deployments" / "local.yaml").read_text())
    places = {"prefix": here.prefix, "store": here.store}
    made["on_upload"]["config"] |= {**places, "output": here.output, **values.get("on_upload", {})}
    made["watch_bucket"]["config"] |= {**places, **values.get("watch_bucket", {})}
    made["approve"] |= {"store": here.store, **values.get("approve", {})}
    return made


def _answers(url: str) -> bool:
    import httpx

    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
