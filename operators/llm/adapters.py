"""Answers of tuned models from one vLLM server that holds all their adapters beside the target model (multi-LoRA).

Requests of several adapters share the server's batches.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from operators.config import TargetEndpoint
from operators.data.alternating import alternating, system_text
from operators.data.records import Record
from operators.data.store import BlobRef, Store
from operators.digest import digest
from operators.errors import ConfigError, EndpointError
from operators.llm.cache import RequestCache
from operators.llm.client import LLMClient
from operators.llm.identity import identity
from operators.llm.ledger import Ledger
from operators.llm.messages import Request
from operators.llm.transport import DEFAULT_KEY_ENV
from operators.results import LLMUsage

LOAD_PATH = "/v1/load_lora_adapter"
LOAD_TIMEOUT = 120.0
"""Seconds. Reading an adapter takes far less; the engine may be in the middle of a batch."""

Progress = Callable[[str, int, int], None]


def answer(
    adapter: BlobRef,
    questions: Sequence[Record],
    endpoint: TargetEndpoint,
    base_url: str,
    store: Store,
    *,
    max_tokens: int,
    cache: RequestCache | None = None,
    token_limit: int | None = None,
    ledger: Ledger | None = None,
    progress: Progress = lambda _label, _done, _total: None,
) -> tuple[list[str], LLMUsage]:
    """Greedy answers of the model with a stored adapter, one per question, to all before its last assistant turn;
    and what was asked for them.

    `token_limit` and `ledger` as in LLMClient. Raises EndpointError where the server does not take the adapter or
    leaves a question without an answer, BudgetExceeded where the limit is reached.
    """
    shared = Path(endpoint.adapters) if endpoint.adapters else None
    load(base_url, adapter.sha256, store.get_directory(adapter, shared), endpoint)
    client = LLMClient(
        endpoint.model_copy(update={"model": adapter.sha256}),
        base_url=base_url,
        cache=cache,
        token_limit=token_limit,
        ledger=ledger,
        role="target",
        identity=digest("adapter", adapter.sha256, identity(endpoint)),
    )
    found = client.complete([as_request(q, max_tokens) for q in questions], progress, label="answer")
    failed = sorted({str(a.error) for a in found if a.error is not None})
    if failed:
        count = sum(a.error is not None for a in found)
        raise EndpointError(
            f"{count} of {len(found)} questions got no answer from the target endpoint ({', '.join(failed)})"
        )
    return [a.text.strip() for a in found], client.usage


def load(base_url: str, name: str, folder: Path, endpoint: TargetEndpoint) -> None:
    """Makes the server know the adapter in `folder` as the model `name`. It may know it already.

    Raises ConfigError where the server takes no adapters, EndpointError where it does not take this one.
    """
    import httpx

    # The owner's Claude key is for Claude alone.
    key = None if endpoint.api_key_env == DEFAULT_KEY_ENV else os.environ.get(endpoint.api_key_env)
    root = base_url.rstrip("/").removesuffix("/v1")
    try:
        reply = httpx.post(
            root + LOAD_PATH,
            json={"lora_name": name, "lora_path": str(folder)},
            headers={"authorization": f"Bearer {key}"} if key else {},
            timeout=LOAD_TIMEOUT,
            follow_redirects=False,  # the key is for this server
            trust_env=False,  # no proxy: adapters are shared by a directory, so the server is near
        )
    except httpx.HTTPError:
        raise EndpointError(f"the target endpoint cannot be reached for {LOAD_PATH}") from None
    if reply.is_success or "already been loaded" in reply.text or "already loaded" in reply.text:
        return
    # vLLM answers 404 as well where it finds no adapter in the folder, and then names both.
    names_it = name in reply.text or str(folder) in reply.text
    if reply.status_code == 405 or (reply.status_code == 404 and not names_it):
        raise ConfigError(
            "the target endpoint takes no adapters: start vLLM with --enable-lora and "
            "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1"
        )
    raise EndpointError(
        f"the target endpoint takes no such adapter (HTTP {reply.status_code}): it has to see and "
        "may read endpoints.target.adapters, serve the target model, and allow training.lora.rank"
    )


def as_request(question: Record, max_tokens: int) -> Request:
    """The turns before the last assistant's as one request; turns of one speaker in a row are one turn. What an
    assistant says before or after all users' turns is given an empty turn of the user's beside it."""
    messages = question.before_answer
    spoken = [m.content for m in alternating(m for m in messages if m.role != "system")]
    if len(spoken) % 2 == 0:  # the assistant has the last word, or nobody speaks
        spoken.append("")
    return Request(
        system=system_text(messages),
        examples=tuple(zip(spoken[:-1:2], spoken[1::2], strict=False)),
        prompt=spoken[-1],
        max_tokens=max_tokens,
    )
