"""How likely a model finds each of a few one-token answers. The Messages API does not tell; vLLM's chat
completions on the same server do."""

from __future__ import annotations

import json
import math
from typing import Any

from operators.llm.messages import Reply, Request

PATH = "/v1/chat/completions"
MOST_LIKELY = 20
"""Tokens whose probabilities are asked for: vLLM's own limit."""


def arguments(request: Request, model: str) -> dict[str, Any]:
    """Body of the request: one token, greedily, with the probabilities of the likeliest."""
    turns = [("system", request.system)] if request.system else []
    for asked, said in request.examples:
        turns += [("user", asked), ("assistant", said)]
    return {
        "model": model,
        "messages": [{"role": role, "content": text} for role, text in [*turns, ("user", request.prompt)]],
        "max_tokens": 1,
        "temperature": 0.0,
        "logprobs": True,
        "top_logprobs": MOST_LIKELY,
    }


def read(content: bytes, labels: tuple[str, ...]) -> Reply | None:
    """The reply, its text a JSON object of the labels' probabilities among the likeliest tokens (white space
    around a token does not count); None where the body is none of a chat completion with probabilities."""
    try:
        body = json.loads(content)
        found: dict[str, float] = {}
        for token in body["choices"][0]["logprobs"]["content"][0]["top_logprobs"]:
            # vLLM fills the list with tokens of a log-probability of -9999: no choice of the model's.
            if (label := token["token"].strip()) in labels and (p := math.exp(token["logprob"])) > 0:
                found[label] = found.get(label, 0.0) + p
        usage = body["usage"]
        return Reply(json.dumps(found), "end_turn", int(usage["prompt_tokens"]), int(usage["completion_tokens"]))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError):
        return None


def are_missing(content: bytes) -> bool:
    """Whether the body is a chat completion without probabilities: the server does not tell them."""
    try:
        return json.loads(content)["choices"][0].get("logprobs") is None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return False
