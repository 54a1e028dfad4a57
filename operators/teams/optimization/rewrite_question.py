"""Better questions for low-quality records."""

from __future__ import annotations

from operators.teams.optimization.rewrite import Rewrite


class RewriteQuestion(Rewrite):
    """Rewrites the user's turns of flagged records: intent kept, clearer wording."""

    name = "rewrite_question"
    role = "user"
    label = "question"
    system = (
        "You improve questions. Keep the intent, the subject, every number, the language and the length; repair "
        "spelling, grammar and noise. Do not answer the question."
    )
