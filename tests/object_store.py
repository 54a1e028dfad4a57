"""SeaweedFS, a real S3 server, on free ports of the loopback interface."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUCKET = "corpus"


@contextmanager
def seaweedfs(folder: Path, *, webhook: str | None = None, token: str = "") -> Iterator[dict[str, str]]:
    """The AWS_* variables to reach a server that has the bucket and keeps its files in `folder`.

    It tells `webhook`, a URL, of every object below /uploads of the bucket.
    """
    import s3fs

    ports = free_ports(10)
    names = ("s3", "master", "volume", "filer", "webdav", "admin")
    flags = [f"-{name}.port={port}" for name, port in zip(names, ports, strict=False)]
    flags += [f"-{name}.port.grpc={port}" for name, port in zip(names[:4], ports[6:], strict=True)]
    access = {
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": "tester-key",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{ports[0]}",
    }
    if webhook:
        (folder / "notification.toml").write_text(
            f'[notification.webhook]\nenabled = true\nendpoint = "{webhook}"\nbearer_token = "{token}"\n'
            f'path_prefixes = ["/buckets/{BUCKET}/uploads"]\n'
        )
    weed = Path(sys.executable).with_name("weed")
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [
                weed,
                "mini",
                f"-dir={folder}",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-master.telemetry=false",
                *flags,
            ],
            env={**os.environ, **access},
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
        try:
            fs = s3fs.S3FileSystem(
                endpoint_url=access["AWS_ENDPOINT_URL"],
                key=access["AWS_ACCESS_KEY_ID"],
                secret=access["AWS_SECRET_ACCESS_KEY"],
                skip_instance_cache=True,
            )
            _make_bucket(fs, server)
            yield access
        finally:
            server.terminate()
            server.wait(timeout=30)


def _make_bucket(fs: object, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert server.poll() is None, "the S3 server ended"
        try:
            fs.mkdir(BUCKET)  # type: ignore[attr-defined]
            return
        except Exception:
            assert time.monotonic() < deadline, "the S3 server does not answer"
            time.sleep(0.2)


def free_ports(n: int) -> list[int]:
    """Ports of the loopback interface that nobody listens on."""
    sockets = [socket.socket() for _ in range(n)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports
