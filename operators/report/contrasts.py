"""The report's chart of what matters: the effect of every team, and of every order of two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from operators.report.figures import BETTER, UNSURE, WORSE, finish, row_label
from operators.report.tables import interval, signed
from operators.results import Contrast

if TYPE_CHECKING:
    import plotly.graph_objects as go


def contrasts_figure(contrasts: Sequence[Contrast]) -> go.Figure:
    """One row a change: its effect on the score with its interval, in the order given."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for y, contrast in enumerate(contrasts):
        low, high = contrast.interval
        colour = BETTER if low > 0 else WORSE if high < 0 else UNSURE
        figure.add_trace(
            go.Scatter(
                x=[contrast.mean],
                y=[y],
                mode="markers",
                marker={"color": colour, "size": 9, "symbol": "circle" if contrast.kind == "added" else "diamond"},
                error_x={
                    "type": "data",
                    "array": [high - contrast.mean],
                    "arrayminus": [contrast.mean - low],
                    "color": colour,
                    "thickness": 1.5,
                    "width": 5,
                },
                hovertemplate=f"{name_of(contrast)}<br>{signed(contrast.mean)} {interval(contrast.interval)}<br>"
                f"{contrast.trials} trials<extra></extra>",
            )
        )
        figure.add_annotation(row_label(y, name_of(contrast)))
        figure.add_annotation(row_label(y, signed(contrast.mean), right=True))
    reach = max([0.1, *(abs(end) for c in contrasts for end in c.interval)]) * 1.06
    figure.update_xaxes(
        range=[-reach, reach],
        title={"text": "difference in score", "font": {"size": 13}},
        zeroline=True,
        zerolinewidth=2,
    )
    figure.update_yaxes(range=[len(contrasts) - 0.55, -0.75], visible=False)
    return finish(figure, len(contrasts))


def name_of(contrast: Contrast) -> str:
    """The change in words."""
    if contrast.kind == "added":
        return f"adding {contrast.team}"
    return f"{contrast.team} before {contrast.other}"
