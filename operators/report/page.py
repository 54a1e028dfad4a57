"""The report: one HTML file with everything in it, charts and their library included."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from operators.fidelity import Fidelity
from operators.report.contrasts import contrasts_figure, name_of
from operators.report.figures import (
    POINT_COLOURS,
    ROW_COLOURS,
    rows_figure,
    sample_figure,
    scores_figure,
    seconds_figure,
)
from operators.report.tables import duration, fidelity_rows, interval, percent, ranked, signed, training
from operators.report.tree import prefix_tree
from operators.results import Recipe, SearchResult, Trial, Verdict, Work
from operators.strategist.space import label
from operators.teams.base import OperatorReport

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from jinja2 import Template

STOPPED = {
    "best": "the strategist saw nothing better to try",
    "no_processing": "the strategist found that the data need no processing",
    "rounds": "all rounds of the budget were used",
    "trials": "all trials of the budget were used",
    "minutes": "the time of the budget was used",
    "tokens": "the tokens of the budget were used",
    "exhausted": "every strategy was tried",
}


def render(result: SearchResult, *, fidelity: Fidelity | None = None, recipe: Recipe | None = None) -> str:
    """The page as text. It loads nothing from anywhere, and its content policy forbids it to.

    `fidelity` tells how well the sample stands for the whole set; `recipe` adds the parameters of the winner's
    operators.
    """
    winner = next((t for t in ranked(result.trials) if t.strategy == result.verdict.strategy), None)
    figures = {
        "scores": scores_figure(result.trials, result.verdict.adopted),
        "seconds": seconds_figure(result.seconds),
    }
    if result.what_matters:
        figures["matters"] = contrasts_figure(result.what_matters)
    whole_set = bool(result.final_reports)
    reports = result.final_reports or (winner.reports if winner else [])
    if reports:
        figures["rows"] = rows_figure([r for team in reports for r in team])
    if fidelity:
        figures["sample"] = sample_figure(fidelity.picture)
    return _template().render(
        result=result,
        headline=headline(result.verdict),
        winner=winner,
        trials=sorted(result.trials, key=lambda t: t.round),
        noise_floors=sorted({t.noise_floor for t in result.trials if t.noise_floor}),
        judged=[t for t in sorted(result.trials, key=lambda t: t.round) if t.comparison.details],
        tree=prefix_tree(result.trials),
        teams=_by_team(result.verdict.strategy, reports),
        whole_set=whole_set,
        work=work_rows(result.work),
        stopped=STOPPED.get(result.stopped, result.stopped),
        fidelity=fidelity,
        fidelity_rows=fidelity_rows(fidelity, flagged=result.data.flagged is not None) if fidelity else [],
        recipe=recipe,
        figures={name: _json(figure) for name, figure in figures.items()},
        by_team=lambda trial: _by_team(trial.strategy, trial.reports),
        row_colours=ROW_COLOURS,
        point_colours=POINT_COLOURS,
        plotlyjs=_plotlyjs(),
    )


def headline(verdict: Verdict) -> str:
    """The decision in a few words."""
    return f"Adopt {label(verdict.strategy)}" if verdict.decision == "adopt" else "Leave the data as they are"


def work_rows(work: Work) -> list[tuple[str, int, int]]:
    """What was asked for and what was computed, by kind of work."""
    return [
        ("team runs", work.team_runs_requested, work.team_runs_executed),
        ("fine-tunes", work.fine_tunes_requested, work.fine_tunes_executed),
        ("LLM requests", work.llm_requests + work.llm_cache_hits, work.llm_requests),
    ]


def _by_team(
    strategy: Sequence[str], reports: Sequence[Sequence[OperatorReport]]
) -> list[tuple[str, Sequence[OperatorReport]]]:
    return list(zip(strategy, reports, strict=False))


def _json(figure: go.Figure) -> str:
    """JSON that cannot end the script element it stands in."""
    return str(figure.to_json()).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@functools.cache
def _plotlyjs() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


@functools.cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("operators.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=percent,
        signed=signed,
        interval=interval,
        duration=duration,
        label=label,
        training=training,
        number=_number,
        change=name_of,
    )
    environment.tests["better"] = lambda trial: _sign(trial) > 0
    environment.tests["worse"] = lambda trial: _sign(trial) < 0
    return environment.get_template("report.html.j2")


def _number(value: Any) -> str:
    """A figure with separators, or a short decimal; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _sign(trial: Trial) -> int:
    """1 or -1 where the whole interval lies above or below the baseline, else 0."""
    low, high = trial.score_ci
    return 1 if low > 0 else -1 if high < 0 else 0
