"""The operators as `autodp operators` prints them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from operators.errors import ConfigError
from operators.strategist.space import Team
from operators.teams.documentation import OperatorDoc, by_team
from operators.teams.registry import operators


def operator_list(names: Sequence[str] = (), team: Team | None = None) -> Group:
    """The named operators (all where none is named) with what they do and their parameters. One that is named
    is told in full. Raises ConfigError on an unknown name, or where no named operator is of the team."""
    known = operators()
    for name in names:
        if name not in known:
            raise ConfigError(f"unknown operator {name!r}; `autodp operators` lists the {len(known)} there are")
    docs = [d for d in by_team(known.values()) if (not names or d.name in names) and team in (None, d.team)]
    if not docs:
        raise ConfigError(f"no operator of team {team} is named {' or '.join(names)}; leave out one of the two")
    return Group(*(part for doc in docs for part in _operator(doc, in_full=bool(names))))


def _operator(doc: OperatorDoc, *, in_full: bool) -> Iterator[RenderableType]:
    yield Text.assemble(
        (doc.name, "bold"), f"  {doc.team}, version {doc.version}: ", (", ".join(doc.facts), "dim")
    )
    for paragraph in doc.paragraphs if in_full else doc.paragraphs[:1]:
        yield Padding(Text(paragraph), (0, 0, 0, 2))
    if doc.parameters:
        table = Table("parameter", "type", "range", "default", "", box=box.SIMPLE, pad_edge=False)
        for p in doc.parameters:
            table.add_row(*map(Text, (p.name, p.type, p.range, p.default, p.description)))
        yield Padding(table, (0, 0, 0, 2))
    else:
        yield Text("")
