"""Many requests on their way at once, their answers one by one and in order."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from operators.errors import AutoDPError, BudgetExceeded, EndpointDown, EndpointError, without_text
from operators.llm.messages import TRANSPORT_ERRORS, Answer, Reply, Request, answer
from operators.llm.transport import Failure, Transport
from operators.results import LLMUsage

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from operators.llm.client import LLMClient

Progress = Callable[[str, int, int], None]

AHEAD = 8
"""Requests taken ahead of the oldest one without an answer, in multiples of the endpoint's concurrency: one that
is slow must not leave the server idle, and a whole data set of prompts must not be in memory."""
PROGRESS_SECONDS = 0.5


@dataclass
class _Place:
    """A request's place in the order. `source` has, or will have, its reply."""

    request: Request
    key: str
    source: Reply | Future[Reply | Failure]
    again: bool
    """Whether nothing is sent for it: the cache has the reply, or an equal request is on its way."""


class Pipeline:
    """One stream of requests. The caller's thread takes and yields; an event loop in a thread of its own sends,
    so it works wherever we are called from: a Ray or Prefect task, a notebook."""

    def __init__(self, client: LLMClient, label: str, total: int, progress: Progress | None) -> None:
        self.client = client
        self.label, self.total = label, total
        self._progress = progress
        self._shown = float("-inf")
        self._places: deque[_Place] = deque()
        self._sent: dict[str, Future[Reply | Failure]] = {}
        self._taken = 0
        self._gate = asyncio.Semaphore(client.endpoint.concurrency)
        self._portal: BlockingPortal | None = None
        self._transport: Transport
        self._error: AutoDPError | None = None
        self._failed_in_a_row = 0
        self._unreached_in_a_row = 0
        self._replies = 0

    def run(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """The answers; raises what `LLMClient.stream` raises."""
        self._show(always=True)
        with ExitStack() as stack:
            try:
                for request in requests:
                    self._add(request, stack)
                    if len(self._places) >= AHEAD * self.client.endpoint.concurrency:
                        yield self._next()
                while self._places:
                    yield self._next()
            except BudgetExceeded:
                wait(self._sent.values())  # what is on its way is paid for: the cache keeps it
                raise
            finally:
                for future in self._sent.values():
                    future.cancel()
        if self._unreached_in_a_row > (1 if self._replies else 0):
            raise self._down()  # no reply came after them to show that the server is there
        self._show(always=True)

    def _add(self, request: Request, stack: ExitStack) -> None:
        key = self.client.key(request)
        if key in self._sent:
            self._places.append(_Place(request, key, self._sent[key], again=True))
        elif (reply := self.client.cached(key)) is not None:
            self._places.append(_Place(request, key, reply, again=True))
        else:
            if self._portal is None:
                from anyio.from_thread import start_blocking_portal

                self._portal = stack.enter_context(start_blocking_portal())
                transport = Transport(self.client.endpoint, self.client.base_url)
                self._transport = stack.enter_context(self._portal.wrap_async_context_manager(transport))
            future = self._portal.start_task_soon(self._send, request, key)
            self._sent[key] = future
            self._places.append(_Place(request, key, future, again=False))

    def _next(self) -> Answer:
        """The answer of the oldest request."""
        place = self._places[0]
        outcome = place.source if isinstance(place.source, Reply) else self._outcome(place.source)
        self._places.popleft()
        self._taken += 1
        self._show()
        if place.again:
            self.client.count(LLMUsage(cache_hits=1))
        else:
            del self._sent[place.key]
        if isinstance(outcome, Failure):
            given = Answer(error=outcome.kind)
        else:
            given = answer(place.request, outcome, cached=False)
            if given.error and not place.again:
                self.client.count(LLMUsage(failures=1))
        return replace(given, cached=True) if place.again else given

    def _outcome(self, future: Future[Reply | Failure]) -> Reply | Failure:
        while True:
            try:
                return future.result(timeout=PROGRESS_SECONDS)
            except TimeoutError:
                self._show()
                if self._error is not None:
                    raise self._error from None

    def _show(self, *, always: bool = False) -> None:
        now = time.monotonic()
        if self._progress and (always or now - self._shown >= PROGRESS_SECONDS):
            self._shown = now
            done = sum(isinstance(p.source, Reply) or p.source.done() for p in self._places)
            self._progress(self.label, self._taken + done, self.total)

    async def _send(self, request: Request, key: str) -> Reply | Failure:
        """Runs in the event loop, as everything below it."""
        async with self._gate:
            try:
                if self._error is not None:
                    raise self._error
                self.client.check_budget()
                outcome = await self._transport.send(request)
                self._account(key, outcome)
            except BudgetExceeded:
                raise
            except Exception as e:
                self._error = self._error or without_text(e)
                raise self._error from None
            return outcome

    def _account(self, key: str, outcome: Reply | Failure) -> None:
        if isinstance(outcome, Failure):
            self.client.count(LLMUsage(requests=1, failures=1))
            self._check_health(outcome)
        else:
            self.client.keep(key, outcome)
            self._replies += 1
            self._failed_in_a_row = self._unreached_in_a_row = 0

    def _check_health(self, failure: Failure) -> None:
        """Raises EndpointError where the failure, or the failures before it, mean that asking on is pointless."""
        where = f"the {self.client.role} endpoint {self._transport.host}"
        endpoint = self.client.endpoint
        if failure.fatal:
            raise EndpointError(f"{where} cannot be used: {failure.fatal}")
        if failure.kind not in TRANSPORT_ERRORS:
            return
        self._failed_in_a_row += 1
        self._unreached_in_a_row = self._unreached_in_a_row + 1 if failure.kind == "connection" else 0
        if self._unreached_in_a_row >= min(endpoint.concurrency, self.total):
            raise self._down()
        # A timeout takes minutes: where all requests on their way end like that, no more are sent.
        limit = (1 if failure.kind == "timeout" else 2) * endpoint.concurrency
        if self._failed_in_a_row >= max(limit, 8):
            raise EndpointError(
                f"{where} fails every request ({failure.kind}, {self._failed_in_a_row} in a row, after all "
                "attempts): see the server's log"
            )

    def _down(self) -> EndpointDown:
        return EndpointDown(
            f"the {self.client.role} endpoint {self._transport.host} is down: no connection to "
            f"{self._transport.base_url} after {self.client.endpoint.retries + 1} attempts; start the server or "
            "correct base_url"
        )
