"""Quality labels asked of the private judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from operators.data.records import Record
from operators.errors import EndpointError
from operators.llm.ask import TOLERATED_FAILURES
from operators.llm.client import LLMClient
from operators.llm.messages import TRANSPORT_ERRORS, Answer, Request, Schema
from operators.llm.prompts import data_block, system_prompt

CLEAN, LOW = "clean", "low"
MAX_CHARACTERS = 4000
"""Of one side; a longer one is shown by its beginning and its end."""
_CUT = " [shortened here] "
_RULE = (
    "You check records of a set that a language model will be trained on. A record has low quality if its answer "
    "is wrong, belongs to another question, stops too early, repeats itself, or holds markup, garbled characters "
    "or contact data, or if one side is missing. Otherwise it is clean. "
    f'Where a text says "{_CUT.strip()}", it was shortened to be shown; that is no fault.'
)


class Asking:
    """Asks the judge about records of one set, every record twice: once with each verdict named first.

    A record is labelled only where both answers are usable and agree. A small judge that always takes the first
    word on offer therefore labels nothing, rather than everything alike.
    """

    def __init__(
        self,
        client: LLMClient,
        records: Sequence[Record],
        *,
        task: str = "",
        seed: int = 0,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self.client, self.records = client, records
        self.task, self.seed, self.progress = task, seed, progress
        self.asked = 0
        """Records asked about."""
        self.contradicting = 0
        """Records whose two answers disagree."""
        self.invalid = 0
        """Records with an answer that is no verdict, or with none."""

    def __call__(self, places: Sequence[int]) -> list[bool | None]:
        """True (low quality), False (clean) or None (no label) of the records at `places`. Raises EndpointError
        where the judge fails too often, BudgetExceeded at the token limit."""
        self.asked += len(places)
        requests = [self._request(self.records[i], order) for i in places for order in (0, 1)]
        answers = self.client.complete(requests, self.progress, label="labels")
        lost = sum(a.error in TRANSPORT_ERRORS or a.error == "rejected" for a in answers)
        if lost > max(1, TOLERATED_FAILURES * len(answers)):
            raise EndpointError(
                f"targeting.labels: {lost} of {len(answers)} requests got no answer; see the log of the judge's "
                "server (it must take output_config with a JSON schema) and run again: the answers so far are kept"
            )
        return [self._label(*answers[2 * i : 2 * i + 2]) for i in range(len(places))]

    @property
    def note(self) -> str:
        """What became of the questions, in a sentence."""
        labelled = self.asked - self.contradicting - self.invalid
        return (
            f"The judge was asked about {self.asked} records and labelled {labelled}; its two answers "
            f"contradicted each other on {self.contradicting}, and {self.invalid} had no usable answer."
        )

    def _label(self, one: Answer, other: Answer) -> bool | None:
        verdicts = [a.parsed.get("quality") if a.parsed else None for a in (one, other)]
        if any(v not in (CLEAN, LOW) for v in verdicts):
            self.invalid += 1
            return None
        if verdicts[0] != verdicts[1]:
            self.contradicting += 1
            return None
        return verdicts[0] == LOW

    def _request(self, record: Record, order: int) -> Request:
        first, second = (CLEAN, LOW) if order == 0 else (LOW, CLEAN)
        question, answer = record.sides
        block = data_block([("Question", _shown(question)), ("Answer", _shown(answer))])
        return Request(
            system=system_prompt(_RULE, f"What the records are for: {self.task}" if self.task else ""),
            prompt=f'{block}\nIs this record {first} or {second}? Reply with the JSON value of "quality".',
            max_tokens=16,
            seed=self.seed,
            schema=_schema(first, second),
        )


def _schema(first: str, second: str) -> Schema:
    return {
        "type": "object",
        "properties": {"quality": {"type": "string", "enum": [first, second]}},
        "required": ["quality"],
        "additionalProperties": False,
    }


def _shown(text: str) -> str:
    half = MAX_CHARACTERS // 2
    return text if len(text) <= MAX_CHARACTERS else text[:half] + _CUT + text[-half:]
