"""Better questions for low-quality records."""

from __future__ import annotations

from operators.teams.optimization.rewrite import Rewrite


class RewriteQuestion(Rewrite):
    """Rewrites the user's turns of flagged records: intent kept, clearer wording.

    Every user turn of a conversation counts. A rewrite that fails a check (length, numbers, negation, meaning,
    script, repetition, pieces of the prompt) leaves the original in place and is counted by reason.
    """

    name = "rewrite_question"
    role = "user"
    label = "question"
    system = (
        "You improve questions. Keep the intent, the subject, every number, the language and the length; repair "
        "spelling, grammar and noise. Do not answer the question."
    )
