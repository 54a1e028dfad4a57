"""Scores with intervals: one trial against the baseline, and one trial against another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from operators.results import Comparison, Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def compare(
    outcomes: Sequence[float], *, resamples: int = 2000, confidence: float = 0.95, seed: int = 0
) -> Comparison:
    """Summarizes per-question outcomes (1 win, 0 tie, -1 loss; between them where two orders disagree).

    score = mean outcome, which is win rate - loss rate where no outcome lies between. Intervals are percentile
    bootstrap over questions (Efron 1979): questions are the unit that is drawn, since both models answered the
    same ones. Raises ValueError on no outcomes.
    """
    return compare_seeds([outcomes], resamples=resamples, confidence=confidence, seed=seed)


def compare_seeds(
    runs: Sequence[Sequence[float]], *, resamples: int = 2000, confidence: float = 0.95, seed: int = 0
) -> Comparison:
    """The same for several training seeds: `runs[s][i]` is seed s's outcome on question i.

    Score and rates are means over seeds; `outcomes` holds each question's mean. Intervals are those of the
    bootstrap over questions, the same for all seeds, widened by how much the seeds differ: both variances are
    added, and the quantile is Student's with the degrees of freedom that the sum has (Satterthwaite 1946), since
    the variance of two or three seeds is itself hardly known. Resampling so few seeds instead would reach no
    further than the lowest and the highest. Raises ValueError where runs differ in length or are empty.
    """
    import numpy as np

    if not runs or not len(runs[0]):
        raise ValueError("no outcomes to compare")
    if len({len(run) for run in runs}) > 1:
        raise ValueError(f"runs of {sorted(len(run) for run in runs)} outcomes; all must judge the same questions")
    values = np.asarray(runs, dtype=np.float64)
    wins, losses = values > 0, values < 0
    score_ci, win_ci = _bootstrap([values, wins.astype(np.float64)], resamples, confidence, seed)
    return Comparison(
        n=values.shape[1],
        win=float(wins.mean()),
        tie=float((values == 0).mean()),
        loss=float(losses.mean()),
        score=float(values.mean()),
        score_ci=_within(score_ci, -1.0),
        win_rate=float(wins.mean()),
        win_rate_ci=_within(win_ci, 0.0),
        outcomes=[float(v) for v in values.mean(axis=0)],
        seed_scores=[float(v) for v in values.mean(axis=1)],
    )


def difference(
    a: Comparison, b: Comparison, *, resamples: int = 2000, confidence: float = 0.95, seed: int = 0
) -> tuple[float, Interval]:
    """How much better a's strategy scores than b's, with its interval, question by question.

    Both were judged against one baseline on the same questions in the same order, so what is common to a
    question cancels. Judging may have stopped early for one of the two: the questions both answered count.
    """
    import numpy as np

    shared = min(a.n, b.n)
    if not shared:
        raise ValueError("no outcomes to compare")
    values = np.asarray([a.outcomes[:shared]]) - np.asarray([b.outcomes[:shared]])
    [interval] = _bootstrap([values], resamples, confidence, seed)
    return float(values.mean()), interval


def chance(outcomes: Sequence[float], *, flips: int = 9999, seed: int = 0) -> float:
    """The probability of a mean as high as that of `outcomes` where each is as likely to be its opposite.

    Fisher's randomization test (1935) of paired outcomes, one-sided. Exact up to 13 outcomes that are not ties;
    beyond that over `flips` draws of signs. A bootstrap interval of few such outcomes is too short: that of four
    wins without a loss leaves zero out, though four fair coins fall so in 6 % of cases. Raises ValueError on no
    outcomes.
    """
    import numpy as np
    from scipy.stats import permutation_test

    values = np.asarray(outcomes, dtype=np.float64)
    if not values.size:
        raise ValueError("no outcomes to compare")
    decided = np.sort(values[values != 0])  # whatever order the questions came in
    if len(decided) < 2:  # SciPy wants two
        return 1.0 if not len(decided) or decided[0] < 0 else 0.5
    found = permutation_test(
        (decided,),
        lambda x, axis: x.mean(axis=axis),
        permutation_type="samples",
        alternative="greater",
        n_resamples=flips,
        vectorized=True,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def noise_floor(
    runs: Sequence[Sequence[float]],
    *,
    seeds: int = 1,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> float:
    """The |score| that a strategy without any effect stays below, with probability `confidence`.

    `runs[r]` holds the outcomes of an A/A comparison: the baseline against itself, trained with another seed.
    A score that is the mean over `seeds` such comparisons is resampled: questions are drawn, runs are drawn, and
    each gets a random sign, because either of the two models could have been called the baseline. Of one run, as
    in a search, what seeds do is known from one draw: the floor may be half of what it should be, or twice that.
    The verdict has a pair for every two baselines.
    """
    import numpy as np

    values = np.asarray(runs, dtype=np.float64)
    if not values.size:
        raise ValueError("no A/A outcomes")
    count, n = values.shape
    rng = np.random.default_rng(seed)
    means = _question_weights(rng, n, resamples) @ values.T  # (resamples, count)
    drawn = rng.integers(count, size=(resamples, seeds))
    signs = rng.choice([-1.0, 1.0], size=(resamples, seeds))
    scores = (np.take_along_axis(means, drawn, axis=1) * signs).mean(axis=1)
    return float(np.quantile(np.abs(scores), confidence))


def _bootstrap(tables: Sequence[Floats], resamples: int, confidence: float, seed: int) -> list[Interval]:
    """Intervals of the mean of each table (seeds, questions), questions resampled for all tables together."""
    import numpy as np

    questions = _question_weights(np.random.default_rng(seed), tables[0].shape[1], resamples)
    tail = (1 - confidence) / 2
    intervals = []
    for table in tables:
        low, high = np.quantile(questions @ table.mean(axis=0), [tail, 1 - tail])
        if len(table) > 1:
            low, high = _widened(table, float(low), float(high), confidence)
        intervals.append((float(low), float(high)))
    return intervals


def _widened(table: Floats, low: float, high: float, confidence: float) -> Interval:
    """An interval over questions made one over questions and seeds, each side for itself."""
    import numpy as np
    from scipy.stats import norm, t

    seeds = len(table)
    mean, of_seeds = float(table.mean()), float(table.mean(axis=1).var(ddof=1)) / seeds
    if of_seeds == 0:
        return low, high
    upper = (1 + confidence) / 2

    def reach(side: float) -> float:
        variance = (side / norm.ppf(upper)) ** 2 + of_seeds
        return float(t.ppf(upper, (seeds - 1) * (variance / of_seeds) ** 2) * np.sqrt(variance))

    return mean - reach(mean - low), mean + reach(high - mean)


def _within(interval: Interval, least: float) -> Interval:
    return max(least, interval[0]), min(1.0, interval[1])


def _question_weights(rng: np.random.Generator, n: int, resamples: int) -> Floats:
    """(resamples, n): the share of each question in each resample."""
    import numpy as np

    weights: Floats = rng.multinomial(n, np.full(n, 1 / n), size=resamples) / n
    return weights
