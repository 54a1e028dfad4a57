"""Conversations in which users and assistants speak in turn, as many models and APIs want them."""

from __future__ import annotations

from collections.abc import Iterable

from operators.data.records import Message


def alternating(messages: Iterable[Message]) -> list[Message]:
    """The messages of users and assistants with those of one speaker in a row joined by newlines, and an empty one
    of a user's before an assistant who opens. The first is a user's."""
    turns: list[Message] = []
    for message in messages:
        if turns and turns[-1].role == message.role:
            turns[-1] = Message(message.role, f"{turns[-1].content}\n{message.content}")
        else:
            turns.append(message)
    if turns and turns[0].role == "assistant":
        turns.insert(0, Message("user", ""))
    return turns


def system_text(messages: Iterable[Message]) -> str:
    """What the system says, joined by newlines; "" where it says nothing."""
    return "\n".join(m.content for m in messages if m.role == "system")
