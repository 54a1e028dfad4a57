"""A missing answer, written to its question."""

from __future__ import annotations

from operators.data.records import Record
from operators.teams.generation.fill import Fill


class FillAnswer(Fill):
    """Writes the last empty assistant turn from the conversation before it."""

    name = "fill_answer"
    wanted = "answer"
    system = "You answer questions correctly, safely and concisely."
    instruction = "Write the missing answer to the last question."

    @staticmethod
    def gap(record: Record) -> int | None:
        """The last empty assistant turn, if a question precedes it."""
        turns = record.messages
        places = [i for i, m in enumerate(turns) if m.role == "assistant" and not m.content.strip()]
        if not places or places[-1] == 0:
            return None
        before = turns[places[-1] - 1]
        return places[-1] if before.role == "user" and before.content.strip() else None

    def context_turns(self, record: Record, turn: int) -> list[tuple[str, str]]:
        """The question, and the exchange before it where there is one."""
        return [(_LABEL[m.role], m.content) for m in record.messages[max(0, turn - 3) : turn]]


_LABEL = {"system": "setting", "user": "question", "assistant": "answer"}
