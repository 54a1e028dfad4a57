"""From comparisons on the sealed questions to a decision."""

from __future__ import annotations

from collections.abc import Sequence

from operators.judging.statistics import difference
from operators.results import Comparison, Lead, Trial, Verdict
from operators.strategist.space import Strategy, label


def best_trial(trials: Sequence[Trial], named: Strategy | None = None) -> Trial:
    """The one the strategist named, else the one with the highest score and of equal ones the shortest, of those
    trained to the end where there is one. Raises ValueError on no trials."""
    return max(trials, key=lambda t: (not t.stopped, t.strategy == named, t.comparison.score, -len(t.strategy)))


def lead(best: Trial, trials: Sequence[Trial], confidence: float) -> Lead | None:
    """The best strategy against the best of the others; None where no other was compared with the same baseline:
    what racing stopped was compared with an earlier state of it."""
    others = [t for t in trials if t.strategy != best.strategy and t.stopped == best.stopped]
    if not others:
        return None
    second = best_trial(others)
    gap, interval = difference(best.comparison, second.comparison, confidence=confidence)
    return Lead(second=second.strategy, difference=gap, difference_ci=interval, noise_floor=best.noise_floor)


def decide(
    strategy: Strategy,
    sealed: Comparison,
    confidence: float,
    *,
    noise_floor: float = 0.0,
    search_score: float | None = None,
) -> Verdict:
    """Adopts the strategy only where the whole interval of its sealed score lies above zero, and the score above
    the noise floor.

    "No processing" is the default that has to be beaten: a score whose interval touches zero, or that training
    seeds alone could have made, is not evidence.
    """
    low, high = sealed.score_ci
    adopt = low > 0 and sealed.score > noise_floor
    seeds = max(len(sealed.seed_scores), 1)
    over = f", over {seeds} training seeds" if seeds > 1 else ""
    won = f"{sealed.win:.0%} of {sealed.n} sealed questions won, {sealed.loss:.0%} lost"
    interval = f"score {sealed.score:+.2f}, {confidence:.0%} interval {low:+.2f} to {high:+.2f}{over}"
    inside = f"; {confidence:.0%} of scores without any effect stay below {noise_floor:.2f}" if low > 0 else ""
    reason = (
        f"Adopt {label(strategy)}: {won} against the model tuned on the unprocessed data ({interval})."
        if adopt
        else f"Leave the data as they are: the best strategy found, {label(strategy)}, is not shown to help "
        f"({won}; {interval}{inside})."
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
        search_score=search_score,
        seed_scores=sealed.seed_scores,
        noise_floor=noise_floor,
        details=sealed.details,
    )
