"""The canonical chat record, the one shape every operator sees."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from operators.digest import digest_lines

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. `content` may be empty: a missing question or answer is an empty turn."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Record:
    """One conversation.

    `meta` holds the columns of the source row that are not part of the conversation, and is carried through
    to the output unread. `flagged` is the quality flag: True (low quality), False (clean), None (not scored,
    or in the abstain band; to be treated as low quality).
    """

    id: str
    messages: tuple[Message, ...]
    meta: dict[str, Any] = field(default_factory=dict, hash=False)
    flagged: bool | None = None

    @property
    def question(self) -> str:
        """Content of the first user turn, or ""."""
        return next((m.content for m in self.messages if m.role == "user"), "")

    @property
    def answer(self) -> str:
        """Content of the last assistant turn, or ""."""
        return next((m.content for m in reversed(self.messages) if m.role == "assistant"), "")

    @property
    def before_answer(self) -> tuple[Message, ...]:
        """All turns before the last assistant turn, or all turns where there is none: what a model answers."""
        last = max((i for i, m in enumerate(self.messages) if m.role == "assistant"), default=None)
        return self.messages[:last]

    @property
    def text(self) -> str:
        """All turns joined by newlines: what is deduplicated and measured."""
        return "\n".join(m.content for m in self.messages)

    @property
    def sides(self) -> tuple[str, str]:
        """What is asked (all turns but the assistant's) and what is answered (all of the assistant's)."""
        asked = "\n".join(m.content for m in self.messages if m.role != "assistant")
        answered = "\n".join(m.content for m in self.messages if m.role == "assistant")
        return asked, answered

    @property
    def generated_by(self) -> str | None:
        """Name of the operator that wrote this record, or None for a record of the source."""
        return self.meta.get("generated_by") or None  # a CSV has "" where there is nothing

    def with_contents(self, contents: Sequence[str]) -> Record:
        """This record with the turns' contents replaced, roles kept; itself if nothing differs."""
        if len(contents) != len(self.messages):
            raise ValueError(f"expected {len(self.messages)} contents, got {len(contents)}")
        if all(m.content == c for m, c in zip(self.messages, contents, strict=True)):
            return self
        turns = tuple(Message(m.role, c) for m, c in zip(self.messages, contents, strict=True))
        return replace(self, messages=turns)

    def with_answer(self, answer: str) -> Record:
        """This record with its last assistant turn replaced (ValueError where there is none)."""
        return self._with_turn("assistant", answer, last=True)

    def with_question(self, question: str) -> Record:
        """This record with its first user turn replaced (ValueError where there is none)."""
        return self._with_turn("user", question, last=False)

    def _with_turn(self, role: Role, content: str, *, last: bool) -> Record:
        places = [i for i, m in enumerate(self.messages) if m.role == role]
        if not places:
            raise ValueError(f"the record has no {role} turn")
        place = places[-1 if last else 0]
        return self.with_contents([content if i == place else m.content for i, m in enumerate(self.messages)])

    def to_json(self) -> str:
        """One line of JSON, the store's format. Equal records give equal text, in whatever order `meta` got its
        keys; inside a value keys stay in the order of the source."""
        return json.dumps(
            {
                "flagged": self.flagged,
                "id": self.id,
                "messages": [{"content": m.content, "role": m.role} for m in self.messages],
                "meta": dict(sorted(self.meta.items())),
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, line: str | bytes) -> Record:
        """Inverse of `to_json`."""
        row = json.loads(line)
        turns = tuple(Message(m["role"], m["content"]) for m in row["messages"])
        return cls(row["id"], turns, row["meta"], row["flagged"])


def conversation_digest(record: Record) -> str:
    """Identity of what a model would train on: roles and contents, without id and meta."""
    return digest_lines(part for m in record.messages for part in (m.role, m.content))


def training_digest(records: Iterable[Record]) -> str:
    """Identity of a training set: the multiset of its conversations, whatever their order, ids or meta."""
    return digest_lines(sorted(conversation_digest(r) for r in records))
