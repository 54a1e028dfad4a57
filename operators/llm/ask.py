"""How an operator of a team asks the rewriter, and when it must give up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from operators.errors import ConfigError, EndpointError
from operators.llm.messages import TRANSPORT_ERRORS, Answer, Request
from operators.teams.base import Context, Operator

if TYPE_CHECKING:
    from operators.llm.client import LLMClient

TOLERATED_FAILURES = 0.05
"""Share of requests that may stay without an answer. The output of an operator is cached as final: one computed
while the server was failing must not be, and one stubborn record must not stop the search."""


def rewriter(operator: Operator[Any], context: Context) -> LLMClient:
    """The rewriter's client. Raises ConfigError where none is configured."""
    if context.llm is None:
        raise ConfigError(
            f"operator {operator.name} needs a model: set endpoints.rewriter (managed: true starts vLLM on this "
            f"machine), or leave {operator.name} out of teams.{operator.team}"
        )
    return context.llm


def ask(operator: Operator[Any], context: Context, requests: Sequence[Request]) -> list[Answer]:
    """All answers in order; see `ask_each`."""
    return list(ask_each(operator, context, requests, len(requests)))


def ask_each(
    operator: Operator[Any], context: Context, requests: Iterable[Request], total: int
) -> Iterator[Answer]:
    """The answers in order, with every failure counted as `no_answer_<kind>` in the operator's report. Requests
    are taken as they are needed, so a generator of them never holds more than a few in memory.

    Raises ConfigError without a rewriter, and EndpointError where too many requests stayed unanswered; what was
    answered is in the request cache, so the next run asks only for the rest.
    """
    lost = rejected = 0
    for given in rewriter(operator, context).stream(requests, total, context.progress, label=operator.name):
        if given.error:
            operator.count(f"no_answer_{given.error}")
        lost += given.error in TRANSPORT_ERRORS
        rejected += given.error == "rejected"
        yield given
    if lost > max(1, TOLERATED_FAILURES * total):
        raise EndpointError(
            f"operator {operator.name}: {lost} of {total} requests got no answer; see the log of the "
            "rewriter's server and run again: the answers so far are kept"
        )
    if total >= 8 and rejected == total:
        raise EndpointError(
            f"operator {operator.name}: the rewriter's server rejects every request; it must take output_config "
            "with a JSON schema (vLLM 0.32 or newer, or Claude) and prompts of this length (a longer context, or "
            f"smaller limits in teams.{operator.team})"
        )
