"""Keeps the records that a private model rates highest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from operators.data.records import Record
from operators.llm.ask import ask_each
from operators.llm.messages import Request, Schema
from operators.llm.prompts import data_block, system_prompt
from operators.teams.base import Context
from operators.teams.selection.base import ScoredSelection, SelectionParams

if TYPE_CHECKING:
    import numpy as np

CRITERIA = ("accuracy", "helpfulness", "clarity")
SCHEMA: Schema = {
    "type": "object",
    "properties": {c: {"type": "integer", "enum": [1, 2, 3, 4, 5]} for c in CRITERIA},
    "required": list(CRITERIA),
    "additionalProperties": False,
}
GRADES = ("1", "2", "3", "4", "5")
_SYSTEM = (
    "You rate examples from which an assistant will learn. Rate the answers for accuracy (true, and about the "
    "question), helpfulness (complete, to the point) and clarity (well written, no residue): 5 excellent, 4 good, "
    "3 acceptable, 2 poor, 1 wrong, missing or unreadable. Length is no merit."
)
_ASKED = {
    "criteria": "Rate this example.",
    "expected": "Rate this example as a whole. Reply with one digit from 1 to 5 and nothing else.",
}
_LABELS = {"system": "instruction", "user": "question", "assistant": "answer"}


class LLMRatingParams(SelectionParams):
    """Parameters of `llm_rating`."""

    rating: Literal["criteria", "expected"] = Field(
        "criteria",
        description="criteria: the mean of three ratings; expected: one rating, each grade weighed by its "
        "probability (vLLM only), which leaves fewer ties",
    )
    max_characters: int = Field(
        4000,
        ge=200,
        le=1 << 20,
        description="Of a conversation that are shown: the end of a longer one",
    )


class LLMRating(ScoredSelection[LLMRatingParams]):
    """Asks the rewriter for ratings from 1 to 5 on accuracy, helpfulness and clarity, and keeps the best.

    After AlpaGasus (Chen et al. 2023, arXiv 2307.08701), with finer grades: the mean of three ratings, or the
    expected rating under the model's probabilities (Liu et al. 2023, arXiv 2303.16634). All turns are shown. A
    record without an answer is not asked about; it and those without a valid rating (counted) rank last. As good
    as the model that rates: a very small one may be no better than chance.
    """

    name = "llm_rating"
    params_type = LLMRatingParams
    needs_llm = True

    def scores(self, records: list[Record], context: Context) -> np.ndarray:
        """Mean or expected rating in [1, 5], NaN without one, shape (n,)."""
        import numpy as np

        asked = [i for i, r in enumerate(records) if r.answer.strip()]
        answers = ask_each(self, context, (self._request(records[i], context) for i in asked), len(asked))
        result = np.full(len(records), np.nan)
        for i, given in zip(asked, answers, strict=True):
            if given.parsed is not None:  # the rest is counted by `ask_each`
                result[i] = self._rating(given.parsed)
        self.count("rated", int(np.isfinite(result).sum()))
        self.count("without_answer", len(records) - len(asked))
        return result

    def _rating(self, parsed: dict[str, Any]) -> float:
        if self.params.rating == "criteria":
            return sum(parsed[c] for c in CRITERIA) / len(CRITERIA)
        return sum(int(grade) * p for grade, p in parsed.items()) / sum(parsed.values())

    def _request(self, record: Record, context: Context) -> Request:
        left = self.params.max_characters
        parts: list[tuple[str, str]] = []
        for message in reversed(record.messages):
            text = message.content[max(0, len(message.content) - left) :] if left else ""
            left -= len(text)
            if text:
                parts.insert(0, (_LABELS[message.role], text))
        return Request(
            system=system_prompt(_SYSTEM, f"What the examples are for: {context.task}" if context.task else ""),
            prompt=f"{data_block(parts)}\n{_ASKED[self.params.rating]}",
            max_tokens=64,
            **({"schema": SCHEMA} if self.params.rating == "criteria" else {"labels": GRADES}),
        )
