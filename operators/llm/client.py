"""The only way this project talks to a model."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence

from operators.config import Endpoint
from operators.errors import BudgetExceeded
from operators.llm.cache import RequestCache
from operators.llm.identity import identity
from operators.llm.ledger import Ledger
from operators.llm.messages import Answer, ErrorKind, Reply, Request
from operators.llm.pipeline import Pipeline, Progress
from operators.results import LLMUsage

__all__ = ["Answer", "ErrorKind", "LLMClient", "Progress", "Request"]


class LLMClient:
    """Asks one endpoint.

    `base_url` overrides the endpoint's (a managed server's address is known only once it runs). `cache` keeps
    replies; `token_limit` bounds the tokens, in and out, that may be spent: by this client, or with a `ledger` by
    all that share it; `role` ("rewriter", "judge", ...) appears in errors. `identity` names the weights in cache
    keys; by default it is asked of the endpoint (`operators.llm.identity`).

    Safe to share between threads. Instances may be pickled; the copy counts its usage from zero.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        base_url: str | None = None,
        cache: RequestCache | None = None,
        token_limit: int | None = None,
        ledger: Ledger | None = None,
        role: str = "model",
        identity: str | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.base_url = base_url
        self.cache = cache
        self.token_limit = token_limit
        self.ledger = ledger
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
        """The answers to all requests, in their order; see `stream`."""
        return list(self.stream(requests, len(requests), progress, label=label))

    def stream(
        self, requests: Iterable[Request], total: int, progress: Progress | None = None, *, label: str = "llm"
    ) -> Iterator[Answer]:
        """The answers one after the other, in the order of the requests, of which there are `total`.

        At most `endpoint.concurrency` requests are on their way at a time, and only a few times as many are taken
        ahead: neither prompts nor answers pile up, however many rows there are and however slowly the answers are
        used. Equal requests are sent once (without a cache: where they are that near each other). `progress` is
        called in this thread as progress(label, done, total).

        A request that fails for itself, after all retries, gives an answer with an error kind. Raises
        EndpointError where the server is unreachable, refuses the key or model, or fails request after request;
        BudgetExceeded when `token_limit` is reached. Replies that came before either are in the cache.
        """
        return Pipeline(self, label, total, progress).run(requests)

    def key(self, request: Request) -> str:
        """The request's key in the cache."""
        if self.identity is None:
            self.identity = identity(self.endpoint)
        return request.key(self.identity)

    def cached(self, key: str) -> Reply | None:
        """The reply in the cache."""
        return self.cache.get(key) if self.cache is not None else None

    def keep(self, key: str, reply: Reply) -> None:
        """Puts a reply into the cache and counts what it cost."""
        if self.cache is not None:
            self.cache.put(key, reply)
        self.count(LLMUsage(requests=1, input_tokens=reply.input_tokens, output_tokens=reply.output_tokens))
        if self.ledger is not None:
            self.ledger.add(reply.input_tokens + reply.output_tokens)

    def count(self, more: LLMUsage) -> None:
        """Adds to `usage`."""
        with self._lock:
            self._usage = self._usage + more

    def check_budget(self) -> None:
        """Raises BudgetExceeded where no more tokens may be spent."""
        if self.token_limit is None:
            return
        own = self.usage.input_tokens + self.usage.output_tokens
        used = own if self.ledger is None else self.ledger.total()
        if used >= self.token_limit:
            who = f"the {self.role} endpoint" if self.ledger is None else "this run"
            raise BudgetExceeded(
                f"{who} has used {used} of the {self.token_limit} tokens allowed: "
                "raise budget.tokens to go on; what was answered so far is kept"
            )

    def __getstate__(self) -> dict[str, object]:
        return {k: v for k, v in vars(self).items() if k not in ("_lock", "_usage")}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state, _lock=threading.Lock(), _usage=LLMUsage())
