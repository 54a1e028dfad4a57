"""The receiver's answers that need no Prefect server; the rest is in test_uploads_end_to_end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from flows.receiver import MAX_BYTES, application, refuse_open
from operators.errors import ConfigError

ELSEWHERE = {
    "Records": [
        {
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "b"}, "object": {"key": "store/x.jsonl", "eTag": "1", "size": 1}},
        }
    ]
}


def client(token: str | None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(application("s3://b/uploads", token))
    return httpx.AsyncClient(transport=transport, base_url="http://receiver")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"X-Autodp-Token": "wrong", "Authorization": "Bearer right"}, 401),
        ({"Authorization": "Bearer right"}, 200),
        ({"Authorization": "right"}, 200),  # as MinIO sends a token that names no scheme
        ({"X-Autodp-Token": "right"}, 200),
    ],
)
async def test_the_token(headers: dict[str, str], status: int) -> None:
    async with client("right") as receiver:
        assert (await receiver.post("/", json=ELSEWHERE, headers=headers)).status_code == status


async def test_objects_elsewhere_and_tests_start_nothing() -> None:
    async with client(None) as receiver:
        assert (await receiver.post("/", json=ELSEWHERE)).json() == {"objects": 1, "events": 0}
        assert (await receiver.post("/", json={"Event": "s3:TestEvent"})).json() == {"objects": 0, "events": 0}
        assert (await receiver.get("/health")).json() == {"status": "ok"}
        assert (await receiver.get("/")).status_code == 405


async def test_a_name_that_cannot_be_used_is_passed_over() -> None:
    told = json.loads(json.dumps(ELSEWHERE).replace("store/x.jsonl", "uploads/zip::x.jsonl"))
    async with client(None) as receiver:
        answer = await receiver.post("/", json=told)
    assert answer.status_code == 200
    assert answer.json() == {"objects": 1, "events": 0}


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", json.dumps({"Records": [{"eventName": 3}]}).encode()])
async def test_what_is_no_notification(body: bytes) -> None:
    async with client(None) as receiver:
        answer = await receiver.post("/", content=body)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("not a notification")


async def test_a_body_is_cut_off_where_it_gets_too_long() -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(1000):
            read += 1 << 16
            yield b" " * (1 << 16)

    async with client(None) as receiver:
        answer = await receiver.post("/", content=endless())
    assert answer.status_code == 413
    assert read <= 2 * MAX_BYTES


@pytest.mark.parametrize(
    ("host", "token", "refused"),
    [
        ("127.0.0.1", None, False),
        ("::1", None, False),
        ("localhost", None, False),
        ("0.0.0.0", None, True),
        ("10.0.0.5", None, True),
        ("receiver.example", None, True),
        ("0.0.0.0", "token", False),
    ],
)
def test_nobody_else_is_let_in_without_a_token(host: str, token: str | None, refused: bool) -> None:
    def listen() -> Any:
        refuse_open(host, token, "TOKEN")

    if refused:
        with pytest.raises(ConfigError, match="needs a token: set TOKEN"):
            listen()
    else:
        listen()
