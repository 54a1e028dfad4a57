"""A small HTTP server that turns notifications of an object store into events."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import posixpath
from collections.abc import AsyncIterator

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from operators.errors import ConfigError, DataError
from operators.intake.notifications import Created, created_objects
from operators.intake.uploads import below_prefix
from tasks.events import send_created

log = logging.getLogger(__name__)

MAX_BYTES = 1 << 20
"""Of one notification. Amazon's are a few hundred bytes, SeaweedFS's grow with the chunks of a file."""


def application(prefix: str, token: str | None = None) -> Starlette:
    """The server for uploads below a prefix; other objects are passed over.

    With a `token`, requests must carry it: `Authorization: Bearer <token>`, which MinIO and SeaweedFS send, or
    `X-Autodp-Token`. 200 once Prefect has every event (sending it again is harmless), 503 where it has not and the
    sender should try again, 400 on what is no notification, 401 without the token, 413 where it is too long.
    """

    async def receive(request: Request) -> Response:
        if token is not None and not _authorized(request, token):
            return _answer(401, "the token is missing or wrong")
        body = await _body(request)
        if body is None:
            return _answer(413, f"a notification has at most {MAX_BYTES:,} bytes")
        try:
            created = created_objects(body)
        except DataError as e:
            return _answer(400, str(e))
        try:
            sent = await run_in_threadpool(_send, [c for c in created if below_prefix(c.uri, prefix)])
        except Exception as e:
            log.error("events cannot be sent (%s): the sender is asked to try again", type(e).__name__)
            return _answer(503, "the event could not be passed on; send the notification again")
        return JSONResponse({"objects": len(created), "events": sent})

    async def healthy(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    routes = [Route("/", receive, methods=["POST"]), Route("/health", healthy)]
    return Starlette(routes=routes)


def refuse_open(host: str, token: str | None, variable: str) -> None:
    """Raises ConfigError where others could reach a receiver that asks for no token."""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if token is None and not loopback:
        raise ConfigError(f"listening on {host} needs a token: set {variable}, or listen on 127.0.0.1")


def _send(created: list[Created]) -> int:
    sent = 0
    for one in created:
        try:
            upload = one.upload()
        except ValidationError:  # to be told of it again would not help
            log.warning(
                "%s: the name is too long or has '::': rename the object", posixpath.basename(one.key)[:200]
            )
            continue
        if upload is None:
            log.info("%s was deleted already", posixpath.basename(one.key))
            continue
        send_created(upload)
        sent += 1
    return sent


def _authorized(request: Request, token: str) -> bool:
    given = request.headers.get("x-autodp-token")
    if given is None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
    return hmac.compare_digest(given.encode(), token.encode())


async def _body(request: Request) -> bytes | None:
    """The body, or None as soon as it is too long, whatever its header says."""
    parts: list[bytes] = []
    total = 0
    stream: AsyncIterator[bytes] = request.stream()
    async for part in stream:
        total += len(part)
        if total > MAX_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


def _answer(status: int, detail: str) -> Response:
    return JSONResponse({"detail": detail}, status)
