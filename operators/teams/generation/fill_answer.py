"""A missing answer, written to its question."""

from __future__ import annotations

from operators.data.records import Record
from operators.teams.generation.fill import Fill


class FillAnswer(Fill):
    """Writes empty assistant turns from the conversation before them, the first one first.

    All records count, whatever their quality flag: an answer is missing or it is not. The examples shown are
    clean records, where the set has any. What fails a check leaves the turn empty and is counted by reason.
    """

    name = "fill_answer"
    wanted = "answer"
    system = "You answer questions correctly, safely and concisely."
    instruction = "Write the missing answer to the last question."

    @staticmethod
    def gap(record: Record) -> int | None:
        """The first empty assistant turn right after a question."""
        turns = record.messages
        return next(
            (
                i
                for i in range(1, len(turns))
                if turns[i].role == "assistant"
                and not turns[i].content.strip()
                and turns[i - 1].role == "user"
                and turns[i - 1].content.strip()
            ),
            None,
        )

    def context_turns(self, record: Record, turn: int) -> list[tuple[str, str]]:
        """The question, and the exchange before it where there is one."""
        return [(_LABEL[m.role], m.content) for m in record.messages[max(0, turn - 3) : turn]]


_LABEL = {"system": "setting", "user": "question", "assistant": "answer"}
