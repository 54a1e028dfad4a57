"""What is asked of a model and what comes back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from operators.digest import digest

Schema = dict[str, Any]

ErrorKind = Literal[
    "connection",  # no connection to the server
    "timeout",
    "rate_limited",  # 429
    "server_error",  # 5xx, 408, 409
    "nonsense",  # a reply that is no message of this API
    "rejected",  # the server refuses this request (400, 413, 422): a prompt beyond the context, a bad schema
    "refused",  # the model declines
    "truncated",  # the structured answer hit max_tokens
    "invalid",  # the answer does not fit the schema
]

TRANSPORT_ERRORS: frozenset[ErrorKind] = frozenset(
    {"connection", "timeout", "rate_limited", "server_error", "nonsense"}
)
"""Failures of the way to the model, which another attempt may mend; the others are the model's answer."""


_SOME_LABEL: Schema = {"type": "object", "additionalProperties": {"type": "number"}, "minProperties": 1}


@dataclass(frozen=True)
class Request:
    """One question to a model. `temperature` and `seed` reach servers that take them (vLLM); hosted Claude
    takes neither. With a `schema` (JSON schema of an object) the answer is decoded under it. `examples` are
    earlier exchanges (prompt, answer) shown as turns of the conversation. With `labels` the answer is an object of
    the probabilities of those among them that the model may well begin its answer with (vLLM only)."""

    prompt: str = field(repr=False)
    system: str = field(default="", repr=False)
    max_tokens: int = 256
    temperature: float = 0.0
    seed: int | None = None
    schema: Schema | None = field(default=None, repr=False, hash=False)
    examples: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # Lone surrogates have no UTF-8 form: neither the wire nor a digest could carry them.
        for name in ("prompt", "system"):
            object.__setattr__(self, name, _sendable(getattr(self, name)))
        if not all(text.isascii() for shown in self.examples for text in shown):
            shown = tuple((_sendable(asked), _sendable(said)) for asked, said in self.examples)
            object.__setattr__(self, "examples", shown)

    def key(self, model: str) -> str:
        """Cache key: hex SHA-256 of everything the answer depends on. `model` identifies the weights."""
        sampling = [self.max_tokens, self.temperature, self.seed]
        labels = [self.labels] if self.labels else []
        return digest("llm", 1, model, self.system, self.examples, self.prompt, sampling, self.schema, *labels)


@dataclass(frozen=True)
class Reply:
    """A model's raw reply, as it is cached."""

    text: str = field(repr=False)
    stop_reason: str | None
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class Answer:
    """The outcome of one request. `error` is None or a short code, never text; with an error, `text` holds
    what the model wrote as far as it got and `parsed` is None. Tokens are those of the reply, cached or not."""

    text: str = field(default="", repr=False)
    parsed: dict[str, Any] | None = field(default=None, repr=False, hash=False)
    input_tokens: int = 0
    output_tokens: int = 0
    cached: bool = False
    error: ErrorKind | None = None
    stop_reason: str | None = None


def _sendable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def answer(request: Request, reply: Reply, *, cached: bool) -> Answer:
    """Reads a reply: parses and validates it where the request has a schema, or labels (one at least)."""
    error: ErrorKind | None = None
    parsed = None
    text = _sendable(reply.text)
    schema = _SOME_LABEL if request.labels else request.schema
    if reply.stop_reason == "refusal":
        error = "refused"
    elif schema is not None:
        parsed = _parse(text, schema)
        if parsed is None:
            error = "truncated" if reply.stop_reason == "max_tokens" else "invalid"
    return Answer(
        text=text,
        parsed=parsed,
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        cached=cached,
        error=error,
        stop_reason=reply.stop_reason,
    )


def _parse(text: str, schema: Schema) -> dict[str, Any] | None:
    import jsonschema  # type: ignore[import-untyped]

    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()  # half a character, written as "\ud83d", has no UTF-8
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not jsonschema.Draft202012Validator(schema).is_valid(value):
        return None
    return value
