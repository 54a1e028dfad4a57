"""Leaderboards: the trials as a Markdown table and as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from operators.fidelity import LENGTH_LEVELS, Fidelity
from operators.results import Exam, Interval, Trial
from operators.strategist.space import Strategy, label

if TYPE_CHECKING:
    from rich.table import Table

HEADINGS = (
    "rank", "round", "strategy", "score", "interval", "win / tie / loss", "rows", "teams run", "fine-tune",
)  # fmt: skip
LEFT = {"strategy", "fine-tune"}
FOUND = HEADINGS[:7]
COMPUTED = ("rank", "strategy", "teams run", "fine-tune")
"""Columns of two tables that are narrow enough for a page: what was found, and what had to be computed for it."""


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """Trials by falling score, those that a race stopped last; of equals the shorter strategy, then the earlier
    round."""
    return sorted(trials, key=lambda t: (t.stopped, -t.comparison.score, len(t.strategy), t.round))


def exam_table(exam: Exam) -> str:
    """Markdown table of a judge's exam."""
    rows = [
        f"| {c.name} | {c.passed} of {c.of} | {percent(c.bar)} | {'yes' if c.ok else 'no'} |" for c in exam.checks
    ]
    return "\n".join(["| check | right | needed | passed |", "| --- | ---: | ---: | --- |", *rows])


def leaderboard(trials: Sequence[Trial], headings: Sequence[str] = HEADINGS) -> str:
    """Markdown table of the trials, best first."""
    if not trials:
        return "No strategy has been tried yet."
    columns = [HEADINGS.index(h) for h in headings]
    rule = ["---" if h in LEFT else "---:" for h in HEADINGS]
    rows = [_row(rank, t) for rank, t in enumerate(ranked(trials), 1)]
    return "\n".join(
        "| " + " | ".join(cells[i] for i in columns) + " |" for cells in [list(HEADINGS), rule, *rows]
    )


def console_leaderboard(trials: Sequence[Trial], winner: Strategy | None = None) -> Table:
    """Table for the terminal, best first, the winner's row highlighted."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Trials against the baseline")
    for heading in HEADINGS:
        table.add_column(
            heading,
            justify="left" if heading in LEFT else "right",
            no_wrap=heading != "strategy",
            min_width=14 if heading == "strategy" else None,
        )
    for rank, trial in enumerate(ranked(trials), 1):
        # Text, not str: rich reads square brackets in a str as markup, and the interval is written in them.
        cells = [Text(cell) for cell in _row(rank, trial)]
        table.add_row(*cells, style="bold green" if trial.strategy == winner else None)
    return table


def signed(value: float) -> str:
    """A score for people: "+0.42", and "0.00" without a sign."""
    return f"{round(value, 2) + 0.0:+.2f}" if round(value, 2) else "0.00"


def interval(of: Interval) -> str:
    """An interval of scores: "[+0.20, +0.61]"."""
    return f"[{signed(of[0])}, {signed(of[1])}]"


def percent(value: float) -> str:
    """A share: "85 %"."""
    return f"{100 * value:.0f} %"


def duration(seconds: float) -> str:
    """A time for people: "0.4 s", "38 s", "12 min", "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def fidelity_rows(found: Fidelity, *, flagged: bool = True) -> list[tuple[str, str, str, str]]:
    """Measure, and its value in the whole set, in the sample, and in a uniform sample of the same size ("" where
    there is none). Distances of the whole set to itself are zero. `flagged`: whether quality was scored."""
    rows = [
        ("records", f"{found.rows:,}", f"{found.sampled:,}", f"{found.sampled:,}"),
        ("energy distance", "0", f"{found.energy_distance:.3g}", f"{found.uniform_energy_distance:.3g}"),
        ("maximum mean discrepancy (squared)", "0", f"{found.mmd:.3g}", f"{found.uniform_mmd:.3g}"),
        *(
            [("flagged", f"{100 * found.flagged_share:.1f} %", f"{100 * found.flagged_share_sampled:.1f} %", "")]
            if flagged
            else []
        ),
        ("length, Kolmogorov-Smirnov", "0", f"{found.length_distance:.3f}", ""),
    ]
    for level, whole, sampled in zip(
        LENGTH_LEVELS, found.length_quantiles, found.length_quantiles_sampled, strict=True
    ):
        rows.append((f"length, {percent(level)} quantile", f"{whole:,.0f}", f"{sampled:,.0f}", ""))
    return rows


def _row(rank: int, trial: Trial) -> list[str]:
    c = trial.comparison
    return [
        str(rank),
        str(trial.round),
        label(trial.strategy),
        signed(trial.score),
        interval(trial.score_ci),
        " / ".join(f"{100 * share:.0f}" for share in (c.win, c.tie, c.loss)) + " %",
        f"{trial.rows:,}",
        f"{len(trial.strategy) - trial.reused_teams} of {len(trial.strategy)}",
        training(trial),
    ]


def training(trial: Trial) -> str:
    """What was done for a trial's model."""
    if trial.stopped:
        return f"stopped at {trial.steps}"
    return "trained" if trial.trained else "reused"
