"""One request over the wire: the `anthropic` SDK against hosted Claude or any server of its Messages API."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from operators.config import Endpoint
from operators.llm import labels
from operators.llm.messages import ErrorKind, Reply, Request

if TYPE_CHECKING:
    import httpx2
    from anthropic import APIStatusError
    from tenacity import RetryCallState

HOSTED = "https://api.anthropic.com"
DEFAULT_KEY_ENV = "ANTHROPIC_API_KEY"
FIRST_BACKOFF, LONGEST_BACKOFF = 0.5, 20.0
"""Seconds. Waits double from the first to the longest, each shortened by up to half at random."""
NO_LABELS = "set judging.verdict to schema"
CONNECT_TIMEOUT = 10.0
"""Seconds. A server that is slow to answer still accepts connections at once."""
LONGEST_RETRY_AFTER = 120.0
"""Seconds. A server that asks for more is not waited for."""
_WITHOUT_PROXY: dict[str, Any] = {"trust_env": False, "mounts": dict.fromkeys(("http://", "https://", "all://"))}
"""For private servers: the environment's proxy need not reach them, and may lie outside. Requests hold records."""


@dataclass(frozen=True)
class Failure:
    """Why there is no reply. `fatal` names a fault of the configuration, which every other request shares."""

    kind: ErrorKind
    transient: bool = False
    retry_after: float | None = None
    fatal: str | None = None


class Transport:
    """An open connection pool. Used inside one event loop, as an asynchronous context manager."""

    def __init__(self, endpoint: Endpoint, base_url: str | None = None) -> None:
        self.endpoint = endpoint
        # The SDK adds /v1/messages itself.
        self.base_url = (base_url or endpoint.base_url or HOSTED).rstrip("/").removesuffix("/v1")
        self.host = urlsplit(self.base_url).hostname or self.base_url
        self.hosted = self.host == "anthropic.com" or self.host.endswith(".anthropic.com")
        # Claude answers 400 to any sampling parameter, wherever it is hosted.
        self.takes_sampling = not self.hosted and "claude" not in endpoint.model.lower()
        self._resume = 0.0  # in the event loop's time: when the server may be asked again

    async def __aenter__(self) -> Self:
        import anthropic

        # At DEBUG the SDK logs whole requests, and requests hold records.
        for name in ("anthropic", "anthropic._base_client"):
            logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger(name).level))
        timeout = anthropic.Timeout(self.endpoint.timeout, connect=min(self.endpoint.timeout, CONNECT_TIMEOUT))
        self._client = anthropic.AsyncAnthropic(
            base_url=self.base_url,
            api_key=self._api_key(),
            timeout=timeout,
            max_retries=0,  # `send` retries: it bounds what a server's retry-after may ask for
            open_telemetry=False,
            http_client=anthropic.DefaultAsyncHttpxClient(
                timeout=timeout,
                follow_redirects=False,  # a private server must not be able to send records elsewhere
                **(_WITHOUT_PROXY if self.endpoint.is_private else {}),
            ),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def send(self, request: Request) -> Reply | Failure:
        """The reply, or the failure that is left after all retries. Never raises for what a server does."""
        import tenacity

        if request.labels and not self.takes_sampling:
            return Failure("rejected", fatal=f"Claude tells no probabilities of tokens: {NO_LABELS}")
        outcome: Reply | Failure = await tenacity.AsyncRetrying(
            retry=tenacity.retry_if_result(_worth_another_attempt),
            stop=self._enough,
            wait=_wait,
            retry_error_callback=_last_outcome,
        )(self._attempt, request)
        return outcome

    async def _attempt(self, request: Request) -> Reply | Failure:
        import anthropic

        await self._pause()
        failure: Failure
        # Failures are values, not exceptions: the SDK's exceptions hold the request and so the record.
        try:
            # The SDK's own timeout is per read; a server that drips bytes would never end.
            async with asyncio.timeout(self.endpoint.timeout):
                content = await self._content(request)
        except (TimeoutError, anthropic.APITimeoutError):
            failure = Failure("timeout", transient=True)
        except anthropic.APIStatusError as e:
            failure = self._status(e, labels.PATH if request.labels else "/v1/messages")
        except (anthropic.APIConnectionError, OSError):
            failure = Failure("connection", transient=True)
        except (anthropic.AnthropicError, ValueError):
            failure = Failure("nonsense", transient=True)
        else:
            if not request.labels:
                return _read(content) or Failure("nonsense", transient=True)
            if labels.are_missing(content):
                failure = Failure("rejected", fatal=f"it tells no probabilities of tokens: {NO_LABELS}")
            else:
                return labels.read(content, request.labels) or Failure("nonsense", transient=True)
        if failure.retry_after is not None and failure.retry_after <= LONGEST_RETRY_AFTER:
            self._resume = max(self._resume, asyncio.get_running_loop().time() + failure.retry_after)
        return failure

    async def _content(self, request: Request) -> bytes:
        if request.labels:
            import httpx2

            body = labels.arguments(request, self.endpoint.model)
            reply = await self._client.post(labels.PATH, cast_to=httpx2.Response, body=body)
            return await reply.aread()
        raw = await self._client.messages.with_raw_response.create(**self._arguments(request))
        return await raw.http_response.aread()

    def _enough(self, state: RetryCallState) -> bool:
        """Whether the request has had its attempts. A timeout costs minutes and seldom comes alone: no third."""
        outcome = _last_outcome(state)
        late = isinstance(outcome, Failure) and outcome.kind == "timeout"
        return state.attempt_number > (min(1, self.endpoint.retries) if late else self.endpoint.retries)

    async def _pause(self) -> None:
        """Waits until the time that the server named, to whichever request: all others would only be refused."""
        while (wait := self._resume - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(wait * _spread())

    def _arguments(self, request: Request) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "model": self.endpoint.model,
            "max_tokens": request.max_tokens,
            "messages": [
                {"role": role, "content": text}
                for asked, said in (*request.examples, (request.prompt, None))
                for role, text in (("user", asked), ("assistant", said))
                if text is not None
            ],
        }
        if request.system:
            arguments["system"] = request.system
        if request.schema is not None:
            schema = request.schema
            if not self.takes_sampling:
                from anthropic import transform_schema

                schema = transform_schema(schema)  # Claude refuses bounds and open objects
            arguments["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        if self.takes_sampling:
            extra: dict[str, Any] = {"temperature": request.temperature}
            if request.seed is not None:
                extra["seed"] = request.seed
            arguments["extra_body"] = extra
        return arguments

    def _api_key(self) -> str:
        name = self.endpoint.api_key_env
        if not self.hosted and name == DEFAULT_KEY_ENV:
            return "none"  # the owner's Claude key is for Claude alone; other servers name their own variable
        return os.environ.get(name) or "none"

    def _status(self, error: APIStatusError, path: str) -> Failure:
        code = error.status_code
        if code == 429:
            return Failure("rate_limited", transient=True, retry_after=_retry_after(error.response))
        if code >= 500 or code in (408, 409):
            return Failure("server_error", transient=True, retry_after=_retry_after(error.response))
        if code in (401, 402, 403):
            return Failure("rejected", fatal=f"it refuses the key (HTTP {code}): set {self.endpoint.api_key_env}")
        if code == 404:
            remedy = f"correct model or base_url{f', or {NO_LABELS}' if path == labels.PATH else ''}"
            lacks = f"it serves no model {self.endpoint.model!r} under {path} (HTTP 404), or has no such path"
            return Failure("rejected", fatal=f"{lacks}: {remedy}")
        if 300 <= code < 400:
            return Failure("rejected", fatal=f"it redirects elsewhere (HTTP {code}): give the final base_url")
        return Failure("rejected")


def _read(content: bytes) -> Reply | None:
    """The reply in a Messages API body, or None where it is none."""
    try:
        body = json.loads(content)
        blocks, usage = body["content"], body["usage"]
        text = "".join(b["text"] for b in blocks if b["type"] == "text")
        read = sum(
            int(usage.get(k) or 0)
            for k in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        )
        return Reply(text, body.get("stop_reason"), read, int(usage["output_tokens"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _worth_another_attempt(outcome: Reply | Failure) -> bool:
    return isinstance(outcome, Failure) and outcome.transient and (outcome.retry_after or 0) <= LONGEST_RETRY_AFTER


def _wait(state: RetryCallState) -> float:
    outcome = _last_outcome(state)
    if isinstance(outcome, Failure) and outcome.retry_after:
        return 0.0  # `_pause` waits, for all; no time at all, or one that is past, is no answer to when
    return min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** (state.attempt_number - 1)) * _spread() / 2


def _spread() -> float:
    """A factor between 1 and 2: spreads the retries of many requests, and changes no result."""
    import random

    return random.uniform(1.0, 2.0)


def _last_outcome(state: RetryCallState) -> Any:
    return state.outcome.result() if state.outcome else None


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds the server asks to wait: `retry-after-ms`, or `retry-after` in seconds or as a date."""
    from datetime import UTC, datetime

    scale = 1000 if "retry-after-ms" in response.headers else 1
    value: str = response.headers.get("retry-after-ms") or response.headers.get("retry-after") or ""
    try:
        return max(0.0, float(value) / scale)
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
