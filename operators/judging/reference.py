"""The reference judge: which model finds the held-out answer more likely?"""

from __future__ import annotations

from collections.abc import Sequence


def outcomes(trial_nll: Sequence[float], baseline_nll: Sequence[float], tie_margin: float) -> list[float]:
    """1 where the trial's NLL is lower than the baseline's by more than `tie_margin`, -1 where it is higher by
    more, else 0. All in nats per token of the same held-out answers, in the same order (ValueError if not)."""
    if len(trial_nll) != len(baseline_nll):
        raise ValueError(f"{len(trial_nll)} trial values for {len(baseline_nll)} baseline values")
    result = []
    for trial, baseline in zip(trial_nll, baseline_nll, strict=True):
        gain = baseline - trial
        result.append(0.0 if abs(gain) <= tie_margin else (1.0 if gain > 0 else -1.0))
    return result
