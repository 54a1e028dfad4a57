"""A missing question, written from its answer."""

from __future__ import annotations

from operators.data.records import Record
from operators.teams.generation.fill import Fill


class FillQuestion(Fill):
    """Writes the first empty user turn from the assistant's turn that follows it."""

    name = "fill_question"
    wanted = "question"
    system = "You write the question that a given answer replies to."
    instruction = "Write the missing question to this answer: name the subject, do not give the answer."

    @staticmethod
    def gap(record: Record) -> int | None:
        """The first empty user turn, if an answer follows it."""
        turns = record.messages
        place = next((i for i, m in enumerate(turns) if m.role == "user" and not m.content.strip()), None)
        if place is None or place + 1 == len(turns):
            return None
        following = turns[place + 1]
        return place if following.role == "assistant" and following.content.strip() else None

    def context_turns(self, record: Record, turn: int) -> list[tuple[str, str]]:
        """The answer, and the exchange before it where there is one."""
        before = [(_LABEL[m.role], m.content) for m in record.messages[max(0, turn - 2) : turn]]
        return [*before, ("answer", record.messages[turn + 1].content)]


_LABEL = {"system": "setting", "user": "question", "assistant": "answer"}
