"""From a comparison on the sealed questions to a decision."""

from __future__ import annotations

from operators.results import Comparison, Verdict
from operators.strategist.space import Strategy, label


def decide(strategy: Strategy, sealed: Comparison, confidence: float) -> Verdict:
    """Adopts the strategy only where the whole interval of its sealed score lies above zero.

    "No processing" is the default that has to be beaten: a score whose interval touches zero is not evidence.
    """
    low, high = sealed.score_ci
    adopt = low > 0
    won = f"{sealed.win:.0%} of {sealed.n} sealed questions won, {sealed.loss:.0%} lost"
    interval = f"score {sealed.score:+.2f}, {confidence:.0%} interval {low:+.2f} to {high:+.2f}"
    reason = (
        f"Adopt {label(strategy)}: {won} against the model tuned on the unprocessed data ({interval})."
        if adopt
        else f"Leave the data as they are: the best strategy found, {label(strategy)}, is not shown to help "
        f"({won}; {interval})."
    )
    return Verdict(
        strategy=strategy,
        decision="adopt" if adopt else "no_processing",
        win_rate=sealed.win_rate,
        win_rate_ci=sealed.win_rate_ci,
        score=sealed.score,
        score_ci=sealed.score_ci,
        n=sealed.n,
        reason=reason,
    )
