"""The registry of approved recipes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from operators.approvals import (
    approve,
    approved,
    approved_recipe,
    ends_waiting,
    history,
    keep_found,
    reject,
)
from operators.digest import sha256_bytes
from operators.errors import ConfigError, DataError
from operators.judging.statistics import compare
from operators.publishing import read_recipe, recipe_yaml
from operators.results import Recipe, RecordsFile
from operators.strategist.space import Team
from operators.verdict import decide


def found(folder: Path, seed: int = 0) -> str:
    """A search's directory with a recipe that needs one file."""
    folder.mkdir()
    (folder / "reference.json").write_text("{}")
    recipe = Recipe(
        name="r",
        strategy=(),
        teams={},
        seed=seed,
        target_model="m",
        target_model_sha256="0",
        embedder="e",
        embedder_sha256="0",
        reference=RecordsFile(file="reference.json", sha256=sha256_bytes(b"{}")),
    )
    (folder / "recipe.yaml").write_text(recipe_yaml(recipe))
    return str(folder)


def test_what_was_approved_does_not_change_with_its_source(tmp_path: Path) -> None:
    store, run = str(tmp_path / "store"), found(tmp_path / "run")
    assert approved(store, "med") is None
    approval = approve(store, "med", run, by="Ada", note="fine")
    assert approved(store, "med") == approval
    (tmp_path / "run" / "recipe.yaml").write_text("changed")
    assert read_recipe(approval.recipe).seed == 0
    assert (Path(approval.recipe).parent / "reference.json").exists()
    assert approved(store, "other") is None


def test_the_latest_approval_is_in_force_and_all_decisions_are_kept(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    approve(store, "med", found(tmp_path / "a", 1), by="Ada")
    approve(store, "med", found(tmp_path / "b", 2), by="Bob")
    reject(store, "med", found(tmp_path / "c", 3), by="Cyd", note="worse")
    now = approved(store, "med")
    assert now is not None
    assert read_recipe(now.recipe).seed == 2
    assert [(a.by, a.decision) for a in history(store, "med")] == [
        ("Ada", "approved"),
        ("Bob", "approved"),
        ("Cyd", "rejected"),
    ]


def test_what_cannot_be_approved(tmp_path: Path) -> None:
    store, run = str(tmp_path / "store"), found(tmp_path / "run")
    with pytest.raises(ConfigError, match="cannot name a data set"):
        approve(store, "../up", run, by="Ada")
    (tmp_path / "run" / "reference.json").write_text("{ }")
    with pytest.raises(ConfigError, match=r"reference\.json: is not the file"):
        approve(store, "med", run, by="Ada")
    with pytest.raises(DataError, match=r"nothing/recipe\.yaml: no such file"):
        approve(store, "med", str(tmp_path / "nothing"), by="Ada")
    assert approved(store, "med") is None


def test_an_approved_recipe_that_was_changed_since_is_refused(tmp_path: Path) -> None:
    approval = approve(str(tmp_path / "store"), "med", found(tmp_path / "run", 1), by="Ada")
    assert approved_recipe(approval).seed == 1
    recipe = Path(approval.recipe)
    recipe.write_text(recipe.read_text().replace("seed: 1", "seed: 2"))
    with pytest.raises(ConfigError, match=r"recipe\.yaml: was changed after Ada approved it"):
        approved_recipe(approval)


def test_whom_a_decision_lets_go(tmp_path: Path) -> None:
    store, one, two = str(tmp_path / "store"), found(tmp_path / "one", 1), found(tmp_path / "two", 2)
    no = reject(store, "med", one, by="Ada")
    assert ends_waiting([no], "one") == ends_waiting([no], "") == no
    assert ends_waiting([no], "two") is None
    yes = approve(store, "med", two, by="Bob")
    other = reject(store, "med", one, by="Cyd")
    assert ends_waiting([no, yes, other], "one") == ends_waiting([yes], "three") == yes
    assert ends_waiting([], "one") is None


def test_what_was_kept_is_approved_whatever_the_directory_holds_by_then(tmp_path: Path) -> None:
    store, run = str(tmp_path / "store"), found(tmp_path / "run", 1)
    (tmp_path / "run" / "search.json").write_text("{}")
    kept = keep_found(store, run)
    shutil.rmtree(run)
    found(tmp_path / "run", 2)
    approval = approve(store, "med", kept, by="Ada", found_in=run)
    assert read_recipe(approval.recipe).seed == 1
    assert approval.found_in == run


def test_a_directory_that_two_searches_wrote_to_is_not_approved(tmp_path: Path) -> None:
    store, run = str(tmp_path / "store"), found(tmp_path / "run")
    verdicts = [decide((Team.CLEANING,), compare([1.0] * won + [-1.0] * 20), 0.95) for won in (80, 81)]
    recipe = read_recipe(f"{run}/recipe.yaml").model_copy(update={"evidence": verdicts[0]})
    (tmp_path / "run" / "recipe.yaml").write_text(recipe_yaml(recipe))
    search = tmp_path / "run" / "search.json"
    search.write_text(json.dumps({"verdict": verdicts[1].model_dump(mode="json")}))
    for act in (lambda: keep_found(store, run), lambda: approve(store, "med", run, by="Ada")):
        with pytest.raises(ConfigError, match=r"recipe\.yaml and search\.json are of different searches"):
            act()
    search.write_text(json.dumps({"verdict": verdicts[0].model_dump(mode="json")}))
    assert approve(store, "med", keep_found(store, run), by="Ada").evidence == verdicts[0]
