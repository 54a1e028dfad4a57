"""The report's charts, as plotly figures. Colours that depend on light or dark are set by the page."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from operators.picture import Picture
from operators.report.tables import duration, interval, percent, signed
from operators.results import Trial
from operators.strategist.space import Strategy, label
from operators.teams.base import OperatorReport

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Mid tones of the Okabe-Ito palette (2008): told apart by colour-blind readers, legible on white and on black.
BETTER, WORSE, UNSURE, WINNER = "#0a8f6c", "#d1622b", "#8a919c", "#2f7de1"
ROW_COLOURS = {"unchanged": "#9aa1ab", "changed": "#2f7de1", "added": "#0a8f6c", "dropped": "#d1622b"}
"""What can happen to a row, in the order the bars are stacked."""
POINT_COLOURS = {"whole set": "#9aa1ab", "sample": "#2f7de1"}
ROW = 44
"""Height of one row in pixels: a line of label above a mark, so that long labels need no margin on a phone."""


def scores_figure(trials: Sequence[Trial], winner: Strategy) -> go.Figure:
    """Score of every trial with its interval, in the order of rounds, each beside the baseline's 0 and its noise
    floor."""
    import plotly.graph_objects as go

    rows = sorted(trials, key=lambda t: t.round)
    figure = go.Figure()
    for y, trial in enumerate(rows):
        c = trial.comparison
        low, high = c.score_ci
        won = trial.strategy == winner
        name = _safe(label(trial.strategy))
        clear = not trial.is_noise
        colour = WINNER if won else BETTER if clear and low > 0 else WORSE if clear and high < 0 else UNSURE
        figure.add_trace(
            go.Scatter(
                x=[c.score],
                y=[y],
                mode="markers",
                marker={"color": colour, "size": 13 if won else 9, "symbol": "star" if won else "circle"},
                error_x={
                    "type": "data",
                    "array": [max(0.0, high - c.score)],
                    "arrayminus": [max(0.0, c.score - low)],
                    "color": colour,
                    "thickness": 2.5 if won else 1.5,
                    "width": 5,
                },
                hovertemplate=f"{name}<br>score {signed(c.score)} {interval(c.score_ci)}<br>"
                f"won {percent(c.win)}, tied {percent(c.tie)}, lost {percent(c.loss)} of {c.n}<extra></extra>",
            )
        )
        title = f"{trial.round} · <b>{name}</b>" if won else f"{trial.round} · {name}"
        title += " (stopped)" if trial.stopped else ""
        figure.add_annotation(row_label(y, title))
        figure.add_annotation({**row_label(y, signed(trial.score), right=True), "yshift": 0})
        if y and rows[y - 1].round != trial.round:
            figure.add_hline(y=y - 0.62, line={"width": 1, "dash": "dot", "color": UNSURE}, opacity=0.5)
    for y, trial in enumerate(rows):  # of a trial whose judging stopped early it is wider
        band = {"x0": -trial.noise_floor, "x1": trial.noise_floor, "y0": y - 0.62, "y1": y + 0.38}
        figure.add_shape(type="rect", **band, fillcolor=UNSURE, opacity=0.15, line_width=0, layer="below")
    low = min([t.comparison.score_ci[0] for t in rows], default=0)
    high = max([t.comparison.score_ci[1] for t in rows], default=0)
    figure.update_xaxes(
        range=[max(-1.04, min(low, -0.1) - 0.06), min(1.04, max(high, 0.1) + 0.06)],
        title={"text": "mean over questions: won +1, lost -1", "font": {"size": 13}},
        domain=[0, 0.86],  # the rest holds the scores: a label of four teams needs the whole width of a phone
        zeroline=True,
        zerolinewidth=2,
    )
    figure.update_yaxes(range=[len(rows) - 0.55, -0.75], visible=False)
    return finish(figure, len(rows))


def seconds_figure(seconds: Mapping[str, float]) -> go.Figure:
    """Time by stage, in the order the stages were recorded."""
    import plotly.graph_objects as go

    stages = [(name, value) for name, value in seconds.items() if name != "total"]
    figure = go.Figure(
        go.Bar(
            x=[value for _, value in stages],
            y=list(range(len(stages))),
            orientation="h",
            width=0.28,
            marker={"color": WINNER},
            hovertext=[f"{_safe(name)}: {duration(value)}" for name, value in stages],
            hoverinfo="text",
        )
    )
    for y, (name, value) in enumerate(stages):
        figure.add_annotation(row_label(y, _safe(name.replace("_", " "))))
        figure.add_annotation(row_label(y, duration(value), right=True))
    figure.update_xaxes(title={"text": "seconds", "font": {"size": 13}}, rangemode="tozero")
    figure.update_yaxes(range=[len(stages) - 0.55, -0.75], visible=False)
    return finish(figure, len(stages))


def rows_figure(reports: Sequence[OperatorReport]) -> go.Figure:
    """What each operator did with its rows: left alone, changed, added, dropped."""
    import plotly.graph_objects as go

    rows_of: dict[str, Callable[[OperatorReport], int]] = {
        "unchanged": lambda r: r.rows_in - r.changed - r.dropped,
        "changed": lambda r: r.changed,
        "added": lambda r: r.added,
        "dropped": lambda r: r.dropped,
    }
    figure = go.Figure()
    for name, colour in ROW_COLOURS.items():
        figure.add_trace(
            go.Bar(
                name=name,
                x=[rows_of[name](r) for r in reports],
                y=list(range(len(reports))),
                orientation="h",
                width=0.28,
                marker={"color": colour},
                hovertext=[f"{_safe(r.operator)}: {rows_of[name](r):,} {name}" for r in reports],
                hoverinfo="text",
            )
        )
    for y, report in enumerate(reports):
        figure.add_annotation(row_label(y, _safe(report.operator.replace("_", " "))))
        figure.add_annotation(row_label(y, f"{report.rows_in:,} → {report.rows_out:,}", right=True))
    figure.update_xaxes(title={"text": "rows", "font": {"size": 13}}, rangemode="tozero")
    figure.update_yaxes(range=[len(reports) - 0.55, -0.75], visible=False)
    figure.update_layout(barmode="stack")
    return finish(figure, len(reports))


def sample_figure(points: Picture) -> go.Figure:
    """The sample's points over those of the whole set. One unit is as long on both axes."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for (name, colour), of in zip(POINT_COLOURS.items(), (points.whole, points.sample), strict=True):
        figure.add_trace(
            go.Scatter(
                name=name,
                x=[x for x, _ in of],
                y=[y for _, y in of],
                mode="markers",
                marker={"color": colour, "size": 5, "opacity": 0.5 if name == "whole set" else 0.9},
                hoverinfo="skip",
            )
        )
    for axis, share, update in zip(
        ("first", "second"), points.variance, (figure.update_xaxes, figure.update_yaxes), strict=True
    ):
        title = f"{axis} principal component ({percent(share)} of the variance)"
        update(title={"text": title, "font": {"size": 13}}, zeroline=False)
    figure.update_yaxes(scaleanchor="x", automargin=True)
    finish(figure, 1)
    figure.update_layout(height=420)
    return figure


def row_label(y: int, text: str, *, right: bool = False) -> dict[str, Any]:
    """Text above a row's mark, at the left end or the right one."""
    side = {"x": 1, "xanchor": "right"} if right else {"x": 0, "xanchor": "left"}
    return {
        "text": text,
        "xref": "paper",
        "y": y,
        "yshift": 16,
        "borderpad": 0,
        "showarrow": False,
        "align": "left",
        **side,
    }


def finish(figure: go.Figure, rows: int) -> go.Figure:
    """Size, margins and fonts that all charts share."""
    # Nothing can be dragged: on a phone a finger on a chart must scroll the page.
    figure.update_xaxes(fixedrange=True, nticks=6)
    figure.update_yaxes(fixedrange=True)
    figure.update_layout(
        template="none",
        height=58 + ROW * max(rows, 1),
        margin={"l": 8, "r": 8, "t": 6, "b": 46},
        showlegend=False,
        dragmode=False,
        hovermode="closest",
        font={"size": 13, "family": "system-ui, sans-serif"},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    return figure


def _safe(text: str) -> str:
    """Text in a form that plotly, which reads some HTML, shows as it is."""
    return html.escape(text)
