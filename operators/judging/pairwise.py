"""The LLM judge: which of two answers is better? Asked in both presentation orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from operators.config import Judging
from operators.data.records import Record
from operators.errors import EndpointError
from operators.judging.betting import Settled
from operators.judging.length import length_controlled
from operators.llm.ask import TOLERATED_FAILURES
from operators.llm.client import LLMClient
from operators.llm.messages import TRANSPORT_ERRORS, Answer, Request, Schema
from operators.llm.prompts import data_block, system_prompt
from operators.results import JudgeDetails, LLMUsage

SCHEMA: Schema = {
    "type": "object",
    "properties": {"better": {"type": "string", "enum": ["first", "second", "tie"]}},
    "required": ["better"],
    "additionalProperties": False,
}
VERDICTS = {"first": 1.0, "second": -1.0, "tie": 0.0}
LABELS = ("A", "B")
TOLERATED_REJECTIONS = 0.5
"""Share of the requests: the few that are too long count as ties, but most of them are not a tie."""
ENOUGH_REQUESTS = 8
"""From which on that share tells something."""
SECOND_TEMPERATURE = 0.7
"""Of the second attempt at a verdict: asked the same way again, the model would answer the same."""

Progress = Callable[[str, int, int], None]
Pair = tuple[Record, str, str]
"""A question and two answers to it."""


@dataclass
class Verdicts:
    """Of some pairs, in order: `orders[i]` holds what either order says of the first answer, in [-1, 1] (1: it is
    better, 0: a tie or no usable verdict), `usable[i]` whether both gave a verdict. `invalid` counts verdicts that
    stayed unusable after the second attempt, `truncated` those of them that hit the token limit, `rejected` those
    that the server refused, `lost` those that got no answer, `calls` all that were asked for."""

    orders: list[tuple[float, float]] = field(default_factory=list)
    usable: list[bool] = field(default_factory=list)
    calls: int = 0
    invalid: int = 0
    truncated: int = 0
    rejected: int = 0
    lost: int = 0

    def __iadd__(self, other: Verdicts) -> Verdicts:
        self.orders += other.orders
        self.usable += other.usable
        self.calls += other.calls
        self.invalid += other.invalid
        self.truncated += other.truncated
        self.rejected += other.rejected
        self.lost += other.lost
        return self

    @property
    def outcomes(self) -> list[float]:
        """The mean of both orders: a judge that only looks at the place of an answer finds ties."""
        return [sum(orders) / 2 for orders in self.orders]

    @property
    def flips(self) -> int:
        """Pairs whose orders contradict each other."""
        return sum(a * b < 0 for a, b in self.orders)


def ask(
    client: LLMClient,
    pairs: Sequence[Pair],
    settings: Judging,
    *,
    task: str = "",
    seed: int = 0,
    progress: Progress = lambda _label, _done, _total: None,
) -> Verdicts:
    """The judge's verdicts on pairs of answers.

    Both orders decode greedily under one schema (or read one token's probabilities), so that position is the only
    difference between them. An answer without a usable verdict is asked for once more, sampled; a request that got
    no answer, as it was. A pair of which one order got none is a tie: the other order alone would say what places
    are worth. Raises EndpointError where the server leaves too many requests without any answer, or rejects most.
    """
    requests = [
        _request(question, first, second, settings, task, seed)
        for question, a, b in pairs
        for first, second in ((a, b), (b, a))
    ]
    answers = client.complete(requests, progress, label="judge")
    again = [i for i, a in enumerate(answers) if a.parsed is None and a.error != "rejected"]
    if settings.verdict == "logit":
        again = [i for i in again if answers[i].error in TRANSPORT_ERRORS]  # probabilities would be the same again
    if again:
        retries = [
            requests[i]
            if answers[i].error in TRANSPORT_ERRORS
            else replace(requests[i], seed=seed + 1, temperature=SECOND_TEMPERATURE)
            for i in again
        ]
        for i, answer in zip(again, client.complete(retries, progress, label="judge again"), strict=True):
            answers[i] = answer
    verdicts = Verdicts(
        calls=len(requests) + len(again),
        invalid=sum(a.parsed is None for a in answers),
        truncated=sum(a.error == "truncated" for a in answers),
        rejected=sum(a.error == "rejected" for a in answers),
        lost=sum(a.error in TRANSPORT_ERRORS for a in answers),
    )
    _check(verdicts, len(answers))
    for first, second in zip(answers[::2], answers[1::2], strict=True):
        lost = {first.error, second.error} & set(TRANSPORT_ERRORS)
        orders = (0.0, 0.0) if lost else (_first_is_better(first), -_first_is_better(second) + 0.0)
        verdicts.orders.append(orders)
        verdicts.usable.append(first.parsed is not None and second.parsed is not None)
    return verdicts


def judge(
    client: LLMClient,
    questions: Sequence[Record],
    trial: Sequence[str],
    baseline: Sequence[str],
    settings: Judging,
    *,
    task: str = "",
    seed: int = 0,
    settled: Callable[[list[float]], Settled | None] = lambda _outcomes: None,
    progress: Progress = lambda _label, _done, _total: None,
) -> tuple[list[float], JudgeDetails]:
    """Outcomes per question in [-1, 1], and how they came about.

    Questions are asked in batches, in their order, which splitting has drawn at random. After each batch
    `settled(outcomes so far)` may end the judging; the outcomes are then of the questions asked.
    """
    pairs: list[Pair] = list(zip(questions, trial, baseline, strict=True))
    verdicts = Verdicts()
    why: Settled | None = None
    while len(verdicts.orders) < len(pairs) and why is None:
        start = len(verdicts.orders)

        def shown(label: str, done: int, _total: int, start: int = start) -> None:
            progress(label, 2 * start + done, 2 * len(pairs))

        batch = pairs[start : start + settings.batch]
        verdicts += ask(client, batch, settings, task=task, seed=seed, progress=shown)
        _check(verdicts, 2 * len(verdicts.orders))  # of small batches, only together
        if len(verdicts.orders) < len(pairs):
            why = settled(verdicts.outcomes)
    return verdicts.outcomes, details(verdicts, pairs, why, client.usage)


def details(verdicts: Verdicts, pairs: Sequence[Pair], why: Settled | None, usage: LLMUsage) -> JudgeDetails:
    """The rates of some verdicts on the first of `pairs`, and the lengths of both sides."""
    asked = len(verdicts.orders)
    lengths = [(len(a), len(b)) for _, a, b in pairs[:asked]]
    return JudgeDetails(
        calls=verdicts.calls,
        flip_rate=verdicts.flips / asked,
        invalid_rate=verdicts.invalid / (2 * asked),
        truncated_rate=verdicts.truncated / (2 * asked),
        trial_length=sum(a for a, _ in lengths) / asked,
        baseline_length=sum(b for _, b in lengths) / asked,
        length_controlled=length_controlled(verdicts.outcomes, [a - b for a, b in lengths]),
        questions=len(pairs),
        settled=why,
        usage=usage,
    )


def pooled(parts: Sequence[JudgeDetails]) -> JudgeDetails | None:
    """Of several training seeds: sums of counts, means of rates and lengths. None where there are none."""
    if not parts:
        return None
    calls, questions = sum(p.calls for p in parts), sum(p.questions for p in parts)

    def mean(name: str) -> float:
        return sum(float(getattr(p, name)) for p in parts) / len(parts)

    return JudgeDetails(
        calls=calls,
        questions=questions,
        flip_rate=mean("flip_rate"),
        invalid_rate=mean("invalid_rate"),
        truncated_rate=mean("truncated_rate"),
        trial_length=mean("trial_length"),
        baseline_length=mean("baseline_length"),
        length_controlled=mean("length_controlled"),
        usage=sum((p.usage for p in parts), LLMUsage()),
    )


def _first_is_better(answer: Answer) -> float:
    if answer.parsed is None:
        return 0.0
    if "better" in answer.parsed:
        return VERDICTS[answer.parsed["better"]]
    first, second = (float(answer.parsed.get(label, 0.0)) for label in LABELS)
    return (first - second) / (first + second)


def _check(verdicts: Verdicts, asked: int) -> None:
    """Raises EndpointError where too many of `asked` requests got no answer, or most were rejected."""
    if verdicts.lost > max(1, TOLERATED_FAILURES * asked):
        raise EndpointError(
            f"the judge gave no answer to {verdicts.lost} of {asked} requests; see the log of its server and run "
            "again: the answers so far are kept"
        )
    if asked >= ENOUGH_REQUESTS and verdicts.rejected > TOLERATED_REJECTIONS * asked:
        raise EndpointError(
            f"the judge's server rejects {verdicts.rejected} of {asked} requests: it must take output_config with "
            "a JSON schema, or for judging.verdict=logit top_logprobs, and hold a question with two answers in "
            "its context"
        )


def _asked(question: Record) -> list[tuple[str, str]]:
    """Labelled turns that the models were given to answer; the last of the user is the question, and most often
    the only one."""
    turns = question.before_answer
    last = max((i for i, m in enumerate(turns) if m.role == "user"), default=-1)
    shown = [("Question" if i == last else m.role.capitalize(), m.content) for i, m in enumerate(turns)]
    return shown or [("Question", "")]


def _request(question: Record, first: str, second: str, settings: Judging, task: str, seed: int) -> Request:
    criteria = " > ".join(settings.criteria)
    system = system_prompt(
        "You compare two answers to one question. Decide by these criteria, most important first: "
        f"{criteria}. Length is no merit.",
        f"What the answers are for: {task}" if task else "",
    )
    if settings.verdict == "logit":
        a, b = LABELS
        block = data_block([*_asked(question), (f"Answer {a}", first), (f"Answer {b}", second)])
        prompt = f"{block}\nWhich answer is better? Reply with one letter: {a} or {b}."
        return Request(system=system, prompt=prompt, max_tokens=1, seed=seed, labels=LABELS)
    block = data_block([*_asked(question), ("First answer", first), ("Second answer", second)])
    prompt = f'{block}\nWhich answer is better? Reply with the JSON value of "better": first, second or tie.'
    return Request(system=system, prompt=prompt, max_tokens=16, seed=seed, schema=SCHEMA)
