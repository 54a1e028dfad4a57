"""Which model answers at an endpoint: part of the key of everything it has said."""

from __future__ import annotations

import os
import time

from operators.config import Endpoint
from operators.data.containers import atomic_file
from operators.data.store import default_cache
from operators.digest import digest
from operators.llm.transport import DEFAULT_KEY_ENV

_TIMEOUT = 5.0
_ASK_AGAIN = 60.0
"""Seconds after which a server that did not tell is asked again."""
_NOT_NOW = (401, 403, 408, 409, 425, 429)
"""Statuses that say nothing about what is served."""
_told: dict[tuple[str, str], tuple[float, str | None]] = {}


def identity(endpoint: Endpoint) -> str:
    """The digest of the weights where they are here; else the model's name, and what the server says is behind it.

    vLLM serves a model under any name: one called `rewriter` may be another model tomorrow, whose answers must not
    be taken from what the first one said. Its list of models names the weights (`root`). A server that tells
    nothing leaves the name alone; hosted Claude is not asked, its names are those of models.
    """
    return known_identity(endpoint) or endpoint.model


def known_identity(endpoint: Endpoint) -> str | None:
    """The identity, or None where it is not known: the server is away, and has never told."""
    if endpoint.managed:
        from operators.models import model_digest

        return model_digest(endpoint.model)
    root = _root(endpoint) if endpoint.base_url is not None else endpoint.model
    return f"{endpoint.model}: {root}" if root not in (None, endpoint.model) else root


def _root(endpoint: Endpoint) -> str | None:
    """What the server calls the weights of the endpoint's model: now, or when it last told, so that a search that
    is repeated while the server is off finds what it knows. The model's name where it tells nothing."""
    key = (str(endpoint.base_url), endpoint.model)
    until, root = _told.get(key, (0.0, None))
    if time.monotonic() < until:
        return root
    kept = default_cache() / "served" / digest(*key)
    asked = _ask(endpoint)
    if asked is None:
        root = kept.read_text(encoding="utf-8") if kept.exists() else None
    else:
        root = asked or endpoint.model
        with atomic_file(str(kept)) as partial:
            partial.write_text(root, encoding="utf-8")
    _told[key] = (time.monotonic() + _ASK_AGAIN if asked is None else float("inf"), root)
    return root


def _ask(endpoint: Endpoint) -> str | None:
    """The `root` of the model in the server's list; "" where the server tells none, None where it is away, still
    loading, or refuses to say."""
    import httpx

    secret = None if endpoint.api_key_env == DEFAULT_KEY_ENV else os.environ.get(endpoint.api_key_env)
    base = str(endpoint.base_url).rstrip("/").removesuffix("/v1")
    try:
        reply = httpx.get(
            f"{base}/v1/models",
            headers={"authorization": f"Bearer {secret}", "x-api-key": secret} if secret else {},
            timeout=_TIMEOUT,
            follow_redirects=False,  # the key is for this server
            trust_env=not endpoint.is_private,  # no proxy knows a private server
        )
        if reply.status_code in _NOT_NOW or reply.is_server_error:
            return None
        models = reply.json()["data"] if reply.is_success else []
        return next((str(m.get("root") or "") for m in models if m.get("id") == endpoint.model), "")
    except httpx.HTTPError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
