"""What is said about operators comes from their classes."""

from typing import Literal

import pytest
from pydantic import Field

from operators.strategist.space import Team
from operators.teams.base import Operator, Params
from operators.teams.documentation import COMMAND, FILE, ParameterDoc, describe, markdown
from operators.teams.registry import built_in


class EveryKindParams(Params):
    """Parameters of `every_kind`."""

    needed: int
    share: float = Field(0.5, gt=0, le=1, description="A | share")
    few: int | None = Field(None, ge=1, description="At most")
    how: Literal["fast", "slow"] = "fast"
    kinds: tuple[Literal["a", "b"], ...] = ("a",)
    texts: dict[str, str] = Field({})


class EveryKind(Operator[EveryKindParams]):
    """Does nothing to
    a <b>record</b>.

    Honours the flag.
    """

    name = "every_kind"
    team = Team.SELECTION
    version = 3
    params_type = EveryKindParams
    flagged_only = True
    needs_model = True

    def apply(self, records, context):  # noqa: ARG002
        return records


def test_the_file_is_what_the_classes_say():
    expected = markdown(built_in().values())
    assert FILE.read_text("utf-8") == expected, f"docs/operators.md is stale: run `{COMMAND}` and commit the file"


def test_a_class_tells_everything():
    doc = describe(EveryKind)
    assert (doc.name, doc.team, doc.version) == ("every_kind", Team.SELECTION, 3)
    assert doc.paragraphs == ("Does nothing to a <b>record</b>.", "Honours the flag.")
    assert doc.facts == ("flagged and undecided records only", "loads the target model")
    assert doc.parameters == (
        ParameterDoc("needed", "int", "", "required", ""),
        ParameterDoc("share", "float", "> 0, <= 1", "0.5", "A | share"),
        ParameterDoc("few", "int or null", ">= 1", "null", "At most"),
        ParameterDoc("how", "str", "fast, slow", '"fast"', ""),
        ParameterDoc("kinds", "list of str", "a, b", '["a"]', ""),
        ParameterDoc("texts", "object", "", "{}", ""),
    )


def test_markdown_keeps_its_tables_and_shows_tags_as_text():
    text = markdown([EveryKind])
    assert r"| `share` | float | > 0, <= 1 | `0.5` | A \| share |" in text
    assert r"Does nothing to a \<b>record\</b>." in text
    assert "Version 3: flagged and undecided records only, loads the target model." in text


@pytest.mark.parametrize("cls", built_in().values(), ids=lambda cls: cls.name)
def test_every_operator_and_parameter_is_documented(cls):
    doc = describe(cls)
    assert doc.paragraphs
    for parameter in doc.parameters:
        assert parameter.description, f"{doc.name}.{parameter.name} has no description"
        assert parameter.default != "required", f"{doc.name}.{parameter.name} has no default"
        numeric = parameter.type.split(" ")[0] in ("int", "float")
        assert parameter.range or not numeric, f"{doc.name}.{parameter.name} has no range"
