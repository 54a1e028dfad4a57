"""The only way this project talks to a model."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field, replace

from operators.config import Endpoint
from operators.errors import AutoDPError, BudgetExceeded, EndpointError, without_text
from operators.llm.cache import RequestCache
from operators.llm.messages import TRANSPORT_ERRORS, Answer, ErrorKind, Reply, Request, answer
from operators.llm.transport import Failure, Transport
from operators.results import LLMUsage

__all__ = ["Answer", "ErrorKind", "LLMClient", "Request"]

Progress = Callable[[str, int, int], None]

_PROGRESS_SECONDS = 0.5


class LLMClient:
    """Asks one endpoint.

    `base_url` overrides the endpoint's (a managed server's address is known only once it runs). `cache` keeps
    replies; `token_limit` bounds the tokens, in and out, that this client may spend; `role` ("rewriter",
    "judge", ...) appears in errors. `identity` names the weights in cache keys; it defaults to the digest of
    the weights for a managed server and to the model's name otherwise.

    Safe to share between threads. Instances may be pickled; the copy counts its usage from zero.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        base_url: str | None = None,
        cache: RequestCache | None = None,
        token_limit: int | None = None,
        role: str = "model",
        identity: str | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.base_url = base_url
        self.cache = cache
        self.token_limit = token_limit
        self.role = role
        self.identity = identity
        self._usage = LLMUsage()
        self._lock = threading.Lock()

    @property
    def usage(self) -> LLMUsage:
        """What this client has asked so far."""
        with self._lock:
            return self._usage

    def complete(
        self, requests: Sequence[Request], progress: Progress | None = None, *, label: str = "llm"
    ) -> list[Answer]:
        """The answers, in the order of the requests.

        At most `endpoint.concurrency` requests are on their way at a time. Equal requests are sent once.
        `progress` is called in this thread as progress(label, done, total).

        A request that fails for itself, after all retries, gives an answer with an error kind. Raises
        EndpointError where the server is unreachable, refuses the key or model, or fails request after request;
        BudgetExceeded when `token_limit` is reached. Replies that came before either are in the cache.
        """
        import anyio.from_thread

        board = _Board(list(requests), [r.key(self._model) for r in requests])
        self._from_cache(board)
        if progress:
            progress(label, board.done, len(requests))
        if board.waiting:
            # A loop in a thread of its own works wherever we are called from: a Ray or Prefect task, a notebook.
            with anyio.from_thread.start_blocking_portal() as portal:
                future = portal.start_task_soon(self._ask_all, board)
                while True:
                    try:
                        future.result(timeout=_PROGRESS_SECONDS)
                        break
                    except NotYet:
                        if progress:
                            progress(label, board.done, len(requests))
            if board.error is not None:
                raise board.error
            if progress:
                progress(label, board.done, len(requests))
        return [board.answers[key] if first else _shared(board.answers[key]) for key, first in board.order()]

    def __getstate__(self) -> dict[str, object]:
        return {k: v for k, v in vars(self).items() if k not in ("_lock", "_usage")}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state, _lock=threading.Lock(), _usage=LLMUsage())

    @property
    def _model(self) -> str:
        if self.identity is None:
            from operators.models import model_digest

            name = self.endpoint.model
            self.identity = model_digest(name) if self.endpoint.managed else name
        return self.identity

    def _from_cache(self, board: _Board) -> None:
        """Fills in what the cache knows, and counts it together with repeats within the call."""
        for key, request in board.distinct.items():
            reply = self.cache.get(key) if self.cache is not None else None
            if reply is None:
                board.waiting.append(key)
            else:
                board.answers[key] = answer(request, reply, cached=True)
        self._count(LLMUsage(cache_hits=len(board.keys) - len(board.waiting)))

    async def _ask_all(self, board: _Board) -> None:
        import anyio

        # Workers that pull from one queue: neither tasks nor requests pile up, however many rows there are.
        async with Transport(self.endpoint, self.base_url) as transport, anyio.create_task_group() as group:

            async def work() -> None:
                try:
                    while board.waiting and board.error is None:
                        self._check_budget()
                        await self._ask(board, transport, board.waiting.pop())
                except BudgetExceeded as e:
                    board.error = board.error or e  # requests on their way end; their replies are paid for
                except Exception as e:
                    board.error = board.error or without_text(e)
                    group.cancel_scope.cancel()

            board.waiting.reverse()  # popped from the end, in the order of the requests
            for _ in range(min(self.endpoint.concurrency, len(board.waiting))):
                group.start_soon(work)

    async def _ask(self, board: _Board, transport: Transport, key: str) -> None:
        request = board.distinct[key]
        outcome = await transport.send(request)
        if isinstance(outcome, Reply):
            if self.cache is not None:
                self.cache.put(key, outcome)
            board.answers[key] = given = answer(request, outcome, cached=False)
            board.failed_in_a_row = 0
            tokens = LLMUsage(
                input_tokens=outcome.input_tokens,
                output_tokens=outcome.output_tokens,
                failures=int(given.error is not None),
            )
            self._count(tokens + LLMUsage(requests=1))
            return
        self._count(LLMUsage(requests=1, failures=1))
        board.answers[key] = Answer(error=outcome.kind)
        self._check_health(board, transport, outcome)

    def _check_health(self, board: _Board, transport: Transport, failure: Failure) -> None:
        """Raises EndpointError where the failure, or the failures before it, mean that asking on is pointless."""
        where = f"the {self.role} endpoint {transport.host}"
        if failure.fatal:
            raise EndpointError(f"{where} cannot be used: {failure.fatal}")
        if failure.kind not in TRANSPORT_ERRORS:
            return
        board.failed_in_a_row += 1
        at_once = min(self.endpoint.concurrency, len(board.distinct))
        if failure.kind == "connection" and board.failed_in_a_row >= at_once:
            raise EndpointError(
                f"{where} is down: no connection to {transport.base_url} after "
                f"{self.endpoint.retries + 1} attempts; start the server or correct base_url"
            )
        if board.failed_in_a_row >= max(2 * self.endpoint.concurrency, 8):
            raise EndpointError(
                f"{where} fails every request ({failure.kind}, {board.failed_in_a_row} in a row, "
                f"{self.endpoint.retries + 1} attempts each): see the server's log"
            )

    def _check_budget(self) -> None:
        used = self.usage.input_tokens + self.usage.output_tokens
        if self.token_limit is not None and used >= self.token_limit:
            raise BudgetExceeded(
                f"the {self.role} endpoint has used {used} of the {self.token_limit} tokens allowed: "
                "raise budget.tokens to go on; what was answered so far is kept"
            )

    def _count(self, more: LLMUsage) -> None:
        with self._lock:
            self._usage = self._usage + more


@dataclass
class _Board:
    """The state of one call, touched by its event loop alone once that runs."""

    requests: list[Request]
    keys: list[str]
    waiting: list[str] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    error: AutoDPError | None = None
    failed_in_a_row: int = 0

    def __post_init__(self) -> None:
        self.distinct = dict(zip(self.keys, self.requests, strict=True))

    @property
    def done(self) -> int:
        return len(self.requests) - len(self.distinct) + len(self.answers)

    def order(self) -> list[tuple[str, bool]]:
        """The keys in the order of the requests, and whether each is there for the first time."""
        seen: set[str] = set()
        return [(k, not (k in seen or seen.add(k))) for k in self.keys]  # type: ignore[func-returns-value]


def _shared(given: Answer) -> Answer:
    return replace(given, cached=True)
