"""What the scores so far say about every strategy: a Bayesian model of teams, their pairs and their order."""

from __future__ import annotations

import functools
import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from operators.results import Contrast, Interval
from operators.strategist.space import NO_PROCESSING, Strategy, Team, all_strategies
from operators.strategist.view import AgentView, Tried

if TYPE_CHECKING:
    import numpy as np

CONFIDENCE = 0.95
"""Of the intervals given."""
SHARED_NOISE = 0.5
"""Share of a score's variance that all trials of a search have in common: they answer the same questions and are
compared with the same baseline. It says nothing about which strategy is better."""


@dataclass(frozen=True)
class Prior:
    """Standard deviations of the effects before any score is seen, in units of the score (-1 to 1)."""

    presence: float = 0.25
    """A team runs at all."""
    pair: float = 0.20
    """Two teams both run."""
    order: float = 0.08
    """The one of two teams before the other, and not after it."""
    place: float = 0.08
    """A team runs first, or last."""
    rest: float = 0.05
    """What only this very strategy has."""


@dataclass(frozen=True)
class Posterior:
    """Normal distribution of the scores of `strategies`; the first, no processing, scores 0 by definition.

    `mean` is of shape (n,), `covariance` of shape (n, n), in their order.
    """

    strategies: tuple[Strategy, ...]
    mean: np.ndarray
    covariance: np.ndarray

    @functools.cached_property
    def index(self) -> dict[Strategy, int]:
        """Where each strategy stands."""
        return {s: i for i, s in enumerate(self.strategies)}

    def difference_sd(self, one: Strategy, other: Strategy) -> float:
        """Standard deviation of the difference between two scores."""
        i, j = self.index[one], self.index[other]
        variance = self.covariance[i, i] + self.covariance[j, j] - 2 * self.covariance[i, j]
        return math.sqrt(max(float(variance), 0.0))

    def draws(self, n: int, seed: int) -> np.ndarray:
        """Scores drawn from the distribution, of shape (n, strategies)."""
        import numpy as np

        values, vectors = np.linalg.eigh(self.covariance)
        # The symmetric root is the only one that does not depend on which basis of an eigenspace a machine's
        # LAPACK picks, and alike strategies make such spaces.
        root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
        return self.mean + np.random.default_rng(seed).standard_normal((n, len(self.mean))) @ root

    def contrasts(self, history: Sequence[Tried]) -> list[Contrast]:
        """The effect of every team, then of every order of two teams that matters to some strategy."""
        teams = sorted(set(itertools.chain.from_iterable(self.strategies)), key=list(Team).index)
        found = []
        for team in teams:
            pairs = [(s, tuple(t for t in s if t is not team)) for s in self.strategies if team in s]
            tried = sum(team in t.strategy for t in history)
            mean, interval = self._difference(pairs)
            found.append(Contrast(kind="added", team=team, mean=mean, interval=interval, trials=tried))
        for a, b in itertools.combinations(teams, 2):
            both = [s for s in self.strategies if a in s and b in s and s.index(a) < s.index(b)]
            pairs = [(s, tuple({a: b, b: a}.get(t, t) for t in s)) for s in both]
            tried = sum({a, b} <= set(t.strategy) for t in history)
            mean, interval = self._difference(pairs)
            found.append(Contrast(kind="before", team=a, other=b, mean=mean, interval=interval, trials=tried))
        return found

    def _difference(self, pairs: Sequence[tuple[Strategy, Strategy]]) -> tuple[float, Interval]:
        """Mean of the first minus the second over pairs, and its interval."""
        import numpy as np

        weights = np.zeros(len(self.strategies))
        for one, other in pairs:
            weights[self.index[one]] += 1 / len(pairs)
            weights[self.index[other]] -= 1 / len(pairs)
        mean = float(weights @ self.mean)
        half = _quantile() * math.sqrt(max(float(weights @ self.covariance @ weights), 0.0))
        return mean, (mean - half, mean + half)


def posterior(
    view: AgentView, prior: Prior | None = None, favoured: dict[Strategy, float] | None = None
) -> Posterior:
    """The distribution of every usable strategy's score given the history.

    The score is linear in the features of `features` with independent normal weights (`Prior`), observed with
    normal noise whose variance comes from the scores' intervals; so the posterior is normal, in closed form
    (Rasmussen and Williams 2006, eq. 2.23-2.24). Scores inside the noise floor count as measured: the noise is in
    the model already. `favoured` shifts the prior mean of single strategies.
    """
    import numpy as np

    strategies = tuple(s for s in all_strategies(include_empty=True) if set(s) <= set(view.teams))
    covariance = prior_covariance(strategies, prior or Prior())
    mean = np.array([(favoured or {}).get(s, 0.0) for s in strategies])
    index = {s: i for i, s in enumerate(strategies)}
    seen = [t for t in view.history if t.strategy in index and t.strategy != NO_PROCESSING]
    if not seen:
        return Posterior(strategies, mean, covariance)
    at = np.array([index[t.strategy] for t in seen])
    noise = noise_covariance(seen)
    gain = np.linalg.solve(covariance[np.ix_(at, at)] + noise, covariance[at]).T
    scores = np.array([t.measured for t in seen])
    return Posterior(strategies, mean + gain @ (scores - mean[at]), covariance - gain @ covariance[at])


def noise_covariance(history: Sequence[Tried]) -> np.ndarray:
    """Covariance of the scores' errors, of shape (trials, trials): variances from the intervals, `SHARED_NOISE`
    of them common to all."""
    import numpy as np

    errors = np.array([standard_error(t) for t in history])
    return np.outer(errors, errors) * (SHARED_NOISE + (1 - SHARED_NOISE) * np.eye(len(history)))


def standard_error(tried: Tried) -> float:
    """Of a trial's score; never 0, since it is rounded to two decimals."""
    return max(tried.error, 0.01)


def prior_covariance(strategies: Sequence[Strategy], prior: Prior) -> np.ndarray:
    """Covariance of the scores before any is seen; no processing has none, its score is known to be 0."""
    import numpy as np

    matrix, scales = features(strategies, prior)
    rest = np.diag([float(bool(s)) for s in strategies]) * prior.rest**2
    return (matrix * scales**2) @ matrix.T + rest


def features(strategies: Sequence[Strategy], prior: Prior) -> tuple[np.ndarray, np.ndarray]:
    """Features of strategies, of shape (strategies, features), and the prior scale of each feature.

    Presence of a team (1), presence of two teams (1), order of two teams (1/2 or -1/2), and whether a team runs
    first or last (1). All are 0 for no processing.
    """
    import numpy as np

    pairs = list(itertools.combinations(Team, 2))
    rows = []
    for s in strategies:
        both = [float(a in s and b in s) for a, b in pairs]
        order = [(0.5 if s.index(a) < s.index(b) else -0.5) if a in s and b in s else 0.0 for a, b in pairs]
        ends = [float(s[end : end + 1 or None] == (t,)) for t in Team for end in (0, -1)]
        rows.append([*[float(t in s) for t in Team], *both, *order, *ends])
    scales = [prior.presence] * len(Team) + [prior.pair] * len(pairs) + [prior.order] * len(pairs)
    scales += [prior.place] * 2 * len(Team)
    return np.array(rows), np.array(scales)


@functools.cache
def _quantile() -> float:
    return statistics.NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
