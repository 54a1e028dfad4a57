"""Finding operators: ours, and a third party's that is really installed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from operators.config import DEFAULT_CHAINS
from operators.errors import ConfigError
from operators.strategist.space import Team
from operators.teams.base import OperatorSpec
from operators.teams.registry import build, rebuild

CLEANING = [step.name for step in DEFAULT_CHAINS[Team.CLEANING]]


def test_the_default_cleaning_chain_can_be_built():
    for name in CLEANING:
        assert build(name, team=Team.CLEANING).name == name


def test_a_wrong_name_or_team_is_refused():
    with pytest.raises(ConfigError, match="unknown operator 'fix_txt'"):
        build("fix_txt")
    with pytest.raises(ConfigError, match="belongs to team cleaning, not selection"):
        build("fix_text", team=Team.SELECTION)


def test_a_recipe_of_another_version_is_refused():
    spec = build("repetition", {"max_ratio": 0.3}).spec
    assert rebuild([spec])[0].spec == spec
    with pytest.raises(ConfigError, match="version 99"):
        rebuild([OperatorSpec(name=spec.name, version=99, params=spec.params)])


PACKAGE = """
from operators.strategist.space import Team
from operators.teams.base import Operator, Params, map_contents


class Lower(Operator[Params]):
    '''Lower-cases every turn.'''

    name = "lower"
    team = Team.CLEANING

    def apply(self, records, context):
        return map_contents(records, str.lower)


class NoOperator:
    pass
"""
PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "their-operators"
version = "1.0"

[project.entry-points."autodp.operators"]
lower = "their_operators:Lower"

[tool.setuptools]
py-modules = ["their_operators"]
"""
SCRIPT = """
import json
from operators.data.records import Message, Record
from operators.errors import ConfigError
from operators.teams.base import Context
from operators.teams.registry import build
try:
    rows, report = build("lower").run([Record("1", (Message("user", "LOUD"),))], Context())
    print(json.dumps([rows[0].question, report.changed]))
except ConfigError as e:
    print(json.dumps(str(e)))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with one operator, built and installed by pip into a folder of its own."""
    folder = tmp_path_factory.mktemp("their")
    source, site = folder / "source", folder / "site"
    source.mkdir()
    (source / "their_operators.py").write_text(PACKAGE)
    (source / "pyproject.toml").write_text(PYPROJECT)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", site, source], check=True, capture_output=True)
    return site


def used_from(site: Path) -> object:
    """What a fresh interpreter gets that has this folder on its path."""
    root = Path(__file__).resolve().parents[3]
    env = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{root}"}
    done = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, env=env)
    return json.loads(done.stdout)


def changed(site: Path, target: Path, file: str, old: str, new: str) -> Path:
    """A copy of the installed package with one thing in it changed."""
    copy = Path(shutil.copytree(site, target / "site"))
    (place,) = copy.rglob(file)
    assert old in place.read_text()
    place.write_text(place.read_text().replace(old, new))
    return copy


def test_a_third_party_operator_is_one_class_and_one_entry_point(installed):
    assert used_from(installed) == ["loud", 1]


def test_an_entry_point_that_is_no_operator_is_named(installed, tmp_path):
    site = changed(installed, tmp_path, "entry_points.txt", ":Lower", ":NoOperator")
    assert used_from(site) == "entry point their_operators:NoOperator is not an Operator class"


def test_a_name_taken_twice_is_refused(installed, tmp_path):
    site = changed(installed, tmp_path, "their_operators.py", '"lower"', '"fix_text"')
    assert "two operators are named fix_text" in str(used_from(site))
