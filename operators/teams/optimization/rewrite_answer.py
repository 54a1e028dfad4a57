"""Better answers for low-quality records."""

from __future__ import annotations

from operators.teams.optimization.rewrite import Rewrite


class RewriteAnswer(Rewrite):
    """Rewrites the assistant's turns of flagged records: the same facts in better words.

    Every assistant turn of a conversation counts. A rewrite that fails a check (length, numbers, negation,
    meaning, script, repetition, pieces of the prompt) leaves the original in place and is counted by reason.
    """

    name = "rewrite_answer"
    role = "assistant"
    label = "answer"
    system = (
        "You improve answers. Keep the facts, every number, the language and the length; repair spelling, grammar "
        "and noise. Add nothing that is not there."
    )
