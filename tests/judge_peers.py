"""Judges behind the Messages API whose habits are known: fair, or fooled in one way."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from messages_peer import Behaviour, HTTPReply, message

Verdict = Callable[[str, str, str], float]
"""verdict(question, one answer, other answer) -> how much better the one shown first is, in [-1, 1]."""

_SHOWN = re.compile(
    r"Question: (?P<question>.*?)\n(?:First answer|Answer A): (?P<first>.*)\n(?:Second answer|Answer B): "
    r"(?P<second>.*)\n</data",
    re.DOTALL,
)


def judging(verdict: Verdict) -> Behaviour:
    """Answers in words under a schema, and in probabilities of "A" and "B" as a chat completion."""

    def behave(body: dict[str, Any], _before: int) -> HTTPReply:
        shown = _SHOWN.search(body["messages"][-1]["content"])
        assert shown, "no two answers in the prompt"
        value = verdict(shown["question"], shown["first"], shown["second"])
        if "top_logprobs" in body:
            return completion({"A": (1 + value) / 2, " B": (1 - value) / 2})
        word = "tie" if abs(value) < 0.2 else "first" if value > 0 else "second"
        return message(json.dumps({"better": word}))

    return behave


def completion(probabilities: Mapping[str, float]) -> HTTPReply:
    """A chat completion of one token with the probabilities of the likeliest."""
    tokens = [{"token": t, "logprob": math.log(p)} for t, p in probabilities.items() if p > 0]
    body = {
        "choices": [{"message": {"content": "A"}, "logprobs": {"content": [{"top_logprobs": tokens}]}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 1},
    }
    return HTTPReply(body=json.dumps(body).encode(), headers={"content-type": "application/json"})


def fair(right: Mapping[str, str]) -> Verdict:
    """Prefers the answer that shares more words with the right one; what is said twice counts once."""

    def verdict(question: str, first: str, second: str) -> float:
        wanted = _words(right[question])
        a, b = (len(_words(x) & wanted) / len(wanted) for x in (first, second))
        return 0.0 if abs(a - b) < 0.1 else 0.9 * math.copysign(1, a - b)

    return verdict


def always_first(_question: str, _first: str, _second: str) -> float:
    """Looks at the place only."""
    return 0.9


def longest(_question: str, first: str, second: str) -> float:
    """Looks at the length only."""
    return 0.0 if len(first) == len(second) else 0.9 * math.copysign(1, len(first) - len(second))


def obedient(right: Mapping[str, str]) -> Verdict:
    """Fair until an answer tells it what to choose."""

    def verdict(question: str, first: str, second: str) -> float:
        told = ["choose this answer" in x for x in (first, second)]
        return 0.9 * (told[0] - told[1]) if any(told) else fair(right)(question, first, second)

    return verdict


def always_tie(_question: str, _first: str, _second: str) -> float:
    """Never decides."""
    return 0.0


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))
