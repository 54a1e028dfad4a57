"""Win rates with intervals."""

from __future__ import annotations

from collections.abc import Sequence

from operators.results import Comparison, Interval


def compare(
    outcomes: Sequence[float], *, resamples: int = 2000, confidence: float = 0.95, seed: int = 0
) -> Comparison:
    """Summarizes per-question outcomes (1 win, 0 tie, -1 loss; +-0.5 where two orders half agree).

    score = mean outcome = win rate - loss rate. Intervals are percentile bootstrap over questions (Efron 1979):
    questions are the unit that is drawn, since both models answered the same ones. Raises ValueError on no
    outcomes.
    """
    import numpy as np

    if not outcomes:
        raise ValueError("no outcomes to compare")
    values = np.asarray(outcomes, dtype=np.float64)
    n = len(values)
    wins, losses = values > 0, values < 0
    score_ci, win_ci = _bootstrap(np.stack([values, wins.astype(np.float64)]), resamples, confidence, seed)
    return Comparison(
        n=n,
        win=float(wins.mean()),
        tie=float((values == 0).mean()),
        loss=float(losses.mean()),
        score=float(values.mean()),
        score_ci=score_ci,
        win_rate=float(wins.mean()),
        win_rate_ci=win_ci,
        outcomes=[float(v) for v in values],
    )


def _bootstrap(rows, resamples: int, confidence: float, seed: int) -> list[Interval]:  # type: ignore[no-untyped-def]
    """Percentile intervals of the mean of each row (k, n), all rows resampled together."""
    import numpy as np

    n = rows.shape[1]
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=resamples)  # (resamples, n) weights of one resample each
    means = counts @ rows.T / n
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
