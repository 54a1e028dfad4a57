"""The LLM judge: which of two answers is better? Asked in both presentation orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from operators.config import Judging
from operators.data.records import Record
from operators.llm.client import LLMClient
from operators.llm.messages import Request, Schema
from operators.llm.prompts import data_block, system_prompt

SCHEMA: Schema = {
    "type": "object",
    "properties": {"better": {"type": "string", "enum": ["first", "second", "tie"]}},
    "required": ["better"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class PairwiseOutcomes:
    """`outcomes[i]` is the mean over both orders, in {-1, -0.5, 0, 0.5, 1}; `flips` counts questions whose two
    orders contradict each other, `invalid` answers without a usable verdict (counted as ties)."""

    outcomes: list[float]
    flips: int
    invalid: int


def judge(
    client: LLMClient,
    questions: Sequence[Record],
    trial: Sequence[str],
    baseline: Sequence[str],
    settings: Judging,
    *,
    task: str = "",
    seed: int = 0,
    progress: Callable[[str, int, int], None] = lambda _label, _done, _total: None,
) -> PairwiseOutcomes:
    """Compares the two models' answers question by question. All three sequences have the same length.

    Both orders decode greedily under one schema, so that position is the only difference between them.
    """
    requests = []
    for question, a, b in zip(questions, trial, baseline, strict=True):
        for first, second in ((a, b), (b, a)):
            requests.append(_request(question, first, second, settings, task, seed))
    answers = client.complete(requests, progress, label="judge")

    outcomes: list[float] = []
    flips = invalid = 0
    for i in range(len(questions)):
        pair = []
        for order in (0, 1):
            answer = answers[2 * i + order]
            better = answer.parsed.get("better") if answer.parsed else None
            if better not in ("first", "second", "tie"):
                invalid += 1
                better = "tie"
            trial_is = "first" if order == 0 else "second"
            pair.append(0.0 if better == "tie" else (1.0 if better == trial_is else -1.0))
        flips += pair[0] * pair[1] < 0
        outcomes.append(sum(pair) / 2)
    return PairwiseOutcomes(outcomes, flips, invalid)


def _request(question: Record, first: str, second: str, settings: Judging, task: str, seed: int) -> Request:
    criteria = " > ".join(settings.criteria)
    system = system_prompt(
        "You compare two answers to one question. Decide by these criteria, most important first: "
        f"{criteria}. Length is no merit.",
        f"What the answers are for: {task}" if task else "",
    )
    block = data_block([("Question", question.question), ("First answer", first), ("Second answer", second)])
    prompt = f'{block}\nWhich answer is better? Reply with the JSON value of "better": first, second or tie.'
    return Request(system=system, prompt=prompt, max_tokens=16, temperature=0.0, seed=seed, schema=SCHEMA)
