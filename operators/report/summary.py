"""What a person needs to know to approve a recipe, as Markdown. Counts and scores; no record text."""

from __future__ import annotations

from operators.report.tables import FOUND, leaderboard, percent, signed
from operators.results import SearchResult
from operators.strategist.space import label


def decision_summary(result: SearchResult) -> str:
    """Verdict, leaderboard, rows on their way, and what each operator did to the whole set."""
    verdict, data = result.verdict, result.data
    rows = [
        ("records", data.rows),
        ("bad rows set aside, not among these", data.quarantined),
        ("flagged as low quality", data.flagged),
        ("held out for evaluation", data.held_out),
        ("left out as repeats of evaluation records", data.left_out),
        ("in the sample that strategies were compared on", data.sampled),
        ("after processing", data.processed),
    ]
    operators = [
        f"| {r.operator} | {r.rows_in:,} | {r.changed:,} | {r.dropped:,} | {r.added:,} |"
        for team in result.final_reports
        for r in team
    ]
    low, high = verdict.score_ci
    empty = (
        ""
        if verdict.decision == "adopt"
        else "**The recipe is empty: approved, it passes uploads on as they are.** Best found: "
    )
    parts = [
        f"## {verdict.reason}",
        f"{empty}Strategy **{label(verdict.strategy)}**, {verdict.n} sealed questions: "
        f"won {percent(verdict.win_rate)}, score {signed(verdict.score)}, "
        f"interval {signed(low)} to {signed(high)}.",
        leaderboard(result.trials, FOUND),
        "| rows | |\n| --- | ---: |\n"
        + "\n".join(f"| {name} | {count:,} |" for name, count in rows if count is not None),
    ]
    if operators:
        head = "| operator | in | changed | dropped | added |\n| --- | ---: | ---: | ---: | ---: |\n"
        parts.append(head + "\n".join(operators))
    return "\n\n".join(parts)
