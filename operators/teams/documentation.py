"""What can be said about an operator from its class: `autodp operators` prints it, `docs/operators.md` holds it.

`python -m operators.teams.documentation` (or `make docs`) writes the file anew.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operators.config import DEFAULT_CHAINS
from operators.strategist.space import Team
from operators.teams.base import Operator, Params
from operators.teams.registry import built_in

FILE = Path(__file__).resolve().parents[2] / "docs" / "operators.md"
COMMAND = "make docs"
"""What brings `FILE` up to date."""

_TEAMS = {
    Team.CLEANING: "Removes noise and what should not be there. No model writes anything.",
    Team.GENERATION: "Writes what is missing, and new pairs for small sets. Existing text stays as it is.",
    Team.OPTIMIZATION: "Improves text that is there, in low-quality records.",
    Team.SELECTION: "Keeps the most useful share of the records; changes none.",
}
_BOUNDS = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
_TYPES = {"integer": "int", "number": "float", "boolean": "bool", "string": "str"}


@dataclass(frozen=True)
class ParameterDoc:
    """One parameter. `range` is empty where every value of the type will do."""

    name: str
    type: str
    range: str
    default: str
    description: str


@dataclass(frozen=True)
class OperatorDoc:
    """One operator. `paragraphs` are those of its class's docstring."""

    name: str
    team: Team
    version: int
    paragraphs: tuple[str, ...]
    facts: tuple[str, ...]
    """Which records it touches, what it needs, whether it runs by default."""
    parameters: tuple[ParameterDoc, ...]


def describe(cls: type[Operator[Any]]) -> OperatorDoc:
    """Reads an operator's class."""
    facts = ["flagged and undecided records only" if cls.flagged_only else "all records"]
    facts += ["each one alone"] if cls.rowwise else []
    facts += ["asks the rewriter (endpoints.rewriter)"] if cls.needs_llm else []
    facts += ["loads the target model"] if cls.needs_model else []
    for step in DEFAULT_CHAINS[cls.team]:
        if step.name == cls.name:
            given = ", ".join(f"{k}: {json.dumps(v)}" for k, v in step.params.items())
            facts.append(f"default chain with {given}" if given else "default chain")
    text = inspect.cleandoc(cls.__doc__ or "")
    return OperatorDoc(
        name=cls.name,
        team=cls.team,
        version=cls.version,
        paragraphs=tuple(" ".join(p.split()) for p in text.split("\n\n") if p.strip()),
        facts=tuple(facts),
        parameters=_parameters(cls.params_type),
    )


def by_team(classes: Iterable[type[Operator[Any]]]) -> list[OperatorDoc]:
    """All of them, team by team, in the order they are registered in."""
    docs = [describe(cls) for cls in classes]
    return [doc for team in Team for doc in docs if doc.team is team]


def markdown(classes: Iterable[type[Operator[Any]]]) -> str:
    """The text of docs/operators.md."""
    docs = by_team(classes)
    lines = [
        f"<!-- Generated from the classes by `{COMMAND}`; a test compares. Do not edit. -->",
        "# Operators",
        "",
        "A team is a chain of operators. `teams.<team>` in the configuration names another one:",
        "",
        "```yaml",
        "teams:",
        "  cleaning: [{name: fix_text}, {name: near_duplicates, params: {threshold: 0.8}}]",
        "```",
        "",
        "A value out of range is refused before anything runs. `autodp operators` prints this list together with",
        "the operators of installed packages; [Write an operator](write-an-operator.md) says how to add one.",
    ]
    for team in Team:
        members = [doc for doc in docs if doc.team is team]
        lines += [
            "",
            f"## {team.capitalize()}",
            "",
            _TEAMS[team],
            "",
            "| operator | touches and needs |",
            "|---|---|",
        ]
        lines += [f"| [{doc.name}](#{doc.name}) | {', '.join(doc.facts)} |" for doc in members]
        for doc in members:
            lines += ["", f"### {doc.name}", "", f"Version {doc.version}: {', '.join(doc.facts)}.", ""]
            lines += ["\n\n".join(doc.paragraphs).replace("<", "\\<")]
            lines += _table(doc.parameters)
    return "\n".join(lines) + "\n"


def _table(parameters: Iterable[ParameterDoc]) -> list[str]:
    rows = [(f"`{p.name}`", p.type, p.range, f"`{p.default}`", p.description) for p in parameters]
    if not rows:
        return ["", "No parameters."]
    cells = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    return ["", "| parameter | type | range | default | |", "|---|---|---|---|---|", *(f"| {c} |" for c in cells)]


def _parameters(params: type[Params]) -> tuple[ParameterDoc, ...]:
    schema = params.model_json_schema()
    required = schema.get("required", [])
    return tuple(
        ParameterDoc(
            name=name,
            type=_type(part),
            range=_range(part),
            default="required" if name in required else json.dumps(part.get("default"), ensure_ascii=False),
            description=part.get("description", ""),
        )
        for name, part in schema.get("properties", {}).items()
    )


def _type(part: dict[str, Any]) -> str:
    """Of a JSON schema's property, in Python's words."""
    if "anyOf" in part:
        return " or ".join(dict.fromkeys(_type(p) for p in part["anyOf"]))
    if part.get("type") == "array":
        return f"list of {_type(part.get('items', {}))}"
    kind = part.get("type", "object")
    return "null" if kind == "null" else _TYPES.get(kind, kind)


def _range(part: dict[str, Any]) -> str:
    if "anyOf" in part:
        return "; ".join(filter(None, (_range(p) for p in part["anyOf"])))
    if part.get("type") == "array":
        return _range(part.get("items", {}))
    if "enum" in part:
        return ", ".join(map(str, part["enum"]))
    return ", ".join(f"{sign} {part[bound]}" for bound, sign in _BOUNDS.items() if bound in part)


def main() -> None:
    """Writes docs/operators.md."""
    FILE.write_text(markdown(built_in().values()), encoding="utf-8")
    print(f"wrote {FILE}")


if __name__ == "__main__":
    main()
