"""`autodp operators`."""

import re

import pytest
from command_line import autodp

from operators.strategist.space import Team
from operators.teams.documentation import describe
from operators.teams.registry import operators


def test_lists_every_operator_with_ranges_and_defaults():
    shown = autodp("operators").out
    for name, cls in operators().items():
        assert re.search(rf"^{name}  {cls.team}, version {cls.version}: ", shown, re.MULTILINE)
        for p in describe(cls).parameters:
            assert re.search(rf"^ +{p.name} +{re.escape(p.type)} ", shown, re.MULTILINE)
    assert re.search(r"length_tolerance +float +> 0, <= 2 +0\.3 +Change of length allowed", shown)


def test_one_team_or_one_operator():
    shown = autodp("operators", "--team", "optimization").out
    expected = [n for n, c in operators().items() if c.team is Team.OPTIMIZATION]
    assert re.findall(r"^(\w+)  ", shown, re.MULTILINE) == expected
    shown = autodp("operators", "near_duplicates").out
    assert re.findall(r"^(\w+)  ", shown, re.MULTILINE) == ["near_duplicates"]
    assert "The quality flag only ranks copies" in " ".join(shown.split())  # in full: not only the first sentence


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["fix_txt"], "error: unknown operator 'fix_txt'"),
        (["fix_text", "--team", "selection"], "error: no operator of team selection is named fix_text"),
    ],
)
def test_what_does_not_exist_is_an_error(arguments, says):
    outcome = autodp("operators", *arguments)
    assert outcome.code == 1
    assert outcome.error.startswith(says)
