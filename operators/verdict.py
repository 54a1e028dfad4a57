"""From comparisons on the sealed questions to a decision."""

from __future__ import annotations

from collections.abc import Sequence

from operators.judging.statistics import chance, difference
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
    floor = max(best.noise_floor, second.noise_floor)  # of the fewer questions, which are those that both answered
    return Lead(second=second.strategy, difference=gap, difference_ci=interval, noise_floor=floor)


def decide(
    strategy: Strategy,
    sealed: Comparison,
    confidence: float,
    *,
    noise_floor: float = 0.0,
    search_score: float | None = None,
    lost: int = 0,
    opening: int = 1,
) -> Verdict:
    """Adopts the strategy only where the whole interval of its sealed score lies above zero, the score above the
    noise floor, and coins that fall for or against it on every question would not often do as well.

    "No processing" is the default that has to be beaten: a score whose interval touches zero, that training seeds
    alone could have made, or that rests on a handful of questions, is not evidence. `lost` trainings of the
    strategy's with further seeds could not be tuned at all, which rules it out. `opening`: the number of this
    strategy among those that the sealed questions were opened for, which `confidence` has to allow for.
    """
    low, high = sealed.score_ci
    by_coins = chance(sealed.outcomes)
    adopt = not lost and low > 0 and sealed.score > noise_floor and by_coins <= (1 - confidence) / 2
    seeds = max(len(sealed.seed_scores), 1)
    over = f", over {seeds} training seeds" if seeds > 1 else ""
    won = f"{sealed.win:.0%} of {sealed.n} sealed questions won, {sealed.loss:.0%} lost"
    interval = f"score {sealed.score:+.2f}, {100 * confidence:.3g}% interval {low:+.2f} to {high:+.2f}{over}"
    if opening > 1:
        interval += f", for these questions have been opened for {opening - 1} other candidate" + "s" * (
            opening > 2
        )
    inside = ""
    if lost:
        inside = f"; {lost} more could not be tuned: a lower training.learning_rate may help"
    elif low > 0 and sealed.score <= noise_floor:
        inside = f"; {100 * confidence:.3g}% of scores without any effect stay below {noise_floor:.2f}"
    elif low > 0:
        inside = f"; so few questions differ that coins would do as well in {by_coins:.0%} of cases"
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
        chance=by_coins,
        opening=opening,
        details=sealed.details,
    )
