"""A missing question, written from its answer."""

from __future__ import annotations

from operators.data.records import Record
from operators.teams.generation.fill import Fill


class FillQuestion(Fill):
    """Writes empty user turns from the assistant's turn that follows them, the first one first.

    All records count, whatever their quality flag: a question is missing or it is not. The examples shown are
    clean records, where the set has any. What fails a check leaves the turn empty and is counted by reason.
    """

    name = "fill_question"
    wanted = "question"
    system = "You write the question that a given answer replies to."
    instruction = "Write the missing question to this answer: name the subject, do not give the answer."

    @staticmethod
    def gap(record: Record) -> int | None:
        """The first empty user turn that an answer follows."""
        turns = record.messages
        return next(
            (
                i
                for i in range(len(turns) - 1)
                if turns[i].role == "user"
                and not turns[i].content.strip()
                and turns[i + 1].role == "assistant"
                and turns[i + 1].content.strip()
            ),
            None,
        )

    def context_turns(self, record: Record, turn: int) -> list[tuple[str, str]]:
        """The answer, and the exchange before it where there is one."""
        before = [(_LABEL[m.role], m.content) for m in record.messages[max(0, turn - 2) : turn]]
        return [*before, ("answer", record.messages[turn + 1].content)]


_LABEL = {"system": "setting", "user": "question", "assistant": "answer"}
