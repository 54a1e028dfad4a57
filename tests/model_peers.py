"""Models for a whole search, played by servers of the Messages API: valid answers to any schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from messages_peer import Behaviour, HTTPReply, message

from operators.digest import digest


def answering(text: Callable[[dict[str, Any], str], str]) -> Behaviour:
    """Answers every request under its JSON schema: the first of an enumeration, the fewest items of an array,
    and `text(body, name of the property)` for free text."""

    def behave(body: dict[str, Any], _before: int) -> HTTPReply:
        schema = body["output_config"]["format"]["schema"]
        return message(json.dumps(_instance(schema, "", lambda name: text(body, name))))

    return behave


def written(mark: str) -> Behaviour:
    """A rewriter whose every text is new and carries `mark`."""

    def text(body: dict[str, Any], name: str) -> str:
        number = int(digest(name, body["messages"])[:6], 16)
        if name == "question":
            return f"What is known about {mark} number {number}?"
        return f"Most often {mark} number {number} comes from an old injury; rest helps."

    return answering(text)


def proposing(*wanted: str, reasoning: str = "To learn what each team does.") -> Behaviour:
    """A strategist that proposes `wanted`, as far as they may still be tried, in this order."""

    def behave(body: dict[str, Any], _before: int) -> HTTPReply:
        items = body["output_config"]["format"]["schema"]["properties"]["strategies"]
        allowed = [s for s in wanted if s in items["items"]["enum"]] or items["items"]["enum"]
        answer = {"reasoning": reasoning, "decision": "continue", "strategies": allowed[: items["maxItems"]]}
        best = body["output_config"]["format"]["schema"]["properties"].get("best")
        return message(json.dumps(answer | ({"best": best["enum"][0]} if best else {})))

    return behave


def _instance(schema: dict[str, Any], name: str, text: Callable[[str], str]) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "object":
        return {key: _instance(part, key, text) for key, part in schema["properties"].items()}
    if schema["type"] == "array":
        return [_instance(schema["items"], name, text)] * schema.get("minItems", 0)
    return text(name)
