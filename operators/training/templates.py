"""Conversations as a model's chat template takes them: some refuse a system turn, or two turns of one speaker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from operators.data.alternating import alternating, system_text
from operators.data.records import Message
from operators.errors import ConfigError

Turns = list[dict[str, str]]


def accepted(messages: Sequence[Message], tokenizer: Any) -> Turns:
    """The turns as they are where the tokenizer's chat template takes them; else in the nearest form it takes.

    Such forms have users and assistants speak in turn, users first: what a speaker says in several turns is one,
    joined by a newline, and an empty turn precedes an assistant who opens. A system text stands before that, or,
    where the template knows none, at the head of the user's next turn. Raises ConfigError where it takes no form.
    """
    from jinja2 import TemplateError

    forms: tuple[Callable[[Sequence[Message]], Turns], ...] = (_as_they_are, _in_turn, _without_system)
    for form in forms:
        turns = form(messages)
        try:
            render(turns, tokenizer, to_answer=False)
        except TemplateError:
            continue
        return turns
    raise ConfigError(
        f"the chat template of {Path(tokenizer.name_or_path).name} takes no conversation of system, user and "
        "assistant turns: give training.model a directory whose tokenizer has another"
    )


def render(turns: Turns, tokenizer: Any, *, to_answer: bool) -> str:
    """The conversation as text, up to where the assistant begins if it is `to_answer`."""
    return str(tokenizer.apply_chat_template(turns, add_generation_prompt=to_answer, tokenize=False))


def _as_they_are(messages: Sequence[Message]) -> Turns:
    return [{"role": m.role, "content": m.content} for m in messages]


def _in_turn(messages: Sequence[Message]) -> Turns:
    system = [Message("system", system_text(messages))] if any(m.role == "system" for m in messages) else []
    return _as_they_are([*system, *alternating(m for m in messages if m.role != "system")])


def _without_system(messages: Sequence[Message]) -> Turns:
    return _as_they_are(alternating(Message("user", m.content) if m.role == "system" else m for m in messages))
