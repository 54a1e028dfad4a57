"""All operators by name: ours, and those of installed packages (entry point group `autodp.operators`)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from operators.errors import ConfigError
from operators.strategist.space import Team
from operators.teams.base import Operator, OperatorSpec

BUILT_IN = [
    # "module:Class", one line an operator, in the order the teams' chains use them.
    "operators.teams.cleaning.fix_text:FixText",
    "operators.teams.cleaning.strip_markup:StripMarkup",
    "operators.teams.cleaning.mask_contacts:MaskContacts",
    "operators.teams.cleaning.special_characters:SpecialCharacters",
    "operators.teams.cleaning.language_filter:LanguageFilter",
    "operators.teams.cleaning.length_bounds:LengthBounds",
    "operators.teams.cleaning.repetition:Repetition",
    "operators.teams.cleaning.truncated_answers:TruncatedAnswers",
    "operators.teams.cleaning.decontaminate:Decontaminate",
    "operators.teams.cleaning.answer_mismatch:AnswerMismatch",
    "operators.teams.cleaning.exact_duplicates:ExactDuplicates",
    "operators.teams.cleaning.near_duplicates:NearDuplicates",
    "operators.teams.cleaning.semantic_duplicates:SemanticDuplicates",
    "operators.teams.generation.fill_question:FillQuestion",
    "operators.teams.generation.fill_answer:FillAnswer",
    "operators.teams.generation.new_pairs:NewPairs",
    "operators.teams.optimization.rewrite_question:RewriteQuestion",
    "operators.teams.optimization.rewrite_answer:RewriteAnswer",
    "operators.teams.selection.gradient_influence:GradientInfluence",
    "operators.teams.selection.nearest_to_development:NearestToDevelopment",
    "operators.teams.selection.rds_plus:RDSPlus",
    "operators.teams.selection.k_center:KCenter",
    "operators.teams.selection.llm_rating:LLMRating",
    "operators.teams.selection.ifd:IFD",
    "operators.teams.selection.ifd:Perplexity",
    "operators.teams.selection.controls:RandomSelection",
    "operators.teams.selection.controls:LongestSelection",
]


@functools.cache
def operators() -> dict[str, type[Operator[Any]]]:
    """Operator classes by name. Raises ConfigError where two carry one name or an entry point is no operator."""
    return _load([*BUILT_IN, *(e.value for e in entry_points(group="autodp.operators"))])


def built_in() -> dict[str, type[Operator[Any]]]:
    """Our own operator classes by name, without those of installed packages."""
    return _load(BUILT_IN)


def _load(paths: Sequence[str]) -> dict[str, type[Operator[Any]]]:
    found: dict[str, type[Operator[Any]]] = {}
    for path in paths:
        module, _, cls_name = path.partition(":")
        cls = getattr(import_module(module), cls_name)
        if not (isinstance(cls, type) and issubclass(cls, Operator)):
            raise ConfigError(f"entry point {path} is not an Operator class")
        if cls.name in found and found[cls.name] is not cls:
            raise ConfigError(f"two operators are named {cls.name}: {path} and {found[cls.name].__module__}")
        found[cls.name] = cls
    return found


def build(name: str, params: dict[str, Any] | None = None, *, team: Team | None = None) -> Operator[Any]:
    """The named operator with its parameters. Raises ConfigError on an unknown name, a wrong team or
    parameters out of range."""
    known = operators()
    if name not in known:
        raise ConfigError(f"unknown operator {name!r}; `autodp operators` lists the {len(known)} there are")
    cls = known[name]
    if team is not None and cls.team is not team:
        raise ConfigError(f"operator {name} belongs to team {cls.team}, not {team}")
    return cls(params)


def rebuild(specs: Sequence[OperatorSpec]) -> list[Operator[Any]]:
    """Operators from their specs, as a recipe holds them. Raises ConfigError where the installed version of
    an operator is not the one the spec was made with: its output could differ."""
    made = []
    for spec in specs:
        operator = build(spec.name, spec.params)
        if operator.version != spec.version:
            raise ConfigError(
                f"the recipe was made with {spec.name} version {spec.version}, installed is version "
                f"{operator.version}: install the matching release, or search again"
            )
        made.append(operator)
    return made
