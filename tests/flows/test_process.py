"""Replaying a recipe: the same bytes as the search that found it, without the search's store."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny import rows, run_search, search_json, write_jsonl

from operators.config import FLAGS_VERSION
from operators.errors import ConfigError, DataError

pytestmark = pytest.mark.e2e

BROKEN = "the the same same thing again again " * 6


def dirty(count: int) -> list[dict[str, Any]]:
    """Rows of which every other has an answer that is nothing but a stuck loop."""
    return [r if i % 2 else {**r, "answer": BROKEN, "note": f"n{i}"} for i, r in enumerate(rows(count + 30))]


def process(**values: Any) -> Any:
    from flows.process import ProcessConfig, process_dataset

    return process_dataset(ProcessConfig.model_validate({"cluster": {"num_cpus": 2}, **values}))


@pytest.fixture(scope="module")
def adopted(stack: str, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001
    """The run of a search that adopted a strategy: half the records teach the model to stutter."""
    folder = tmp_path_factory.mktemp("adopted")
    made = dirty(40)
    write_jsonl(folder / "train.jsonl", made[:40])
    write_jsonl(folder / "evaluation.jsonl", rows(70)[40:])
    run_search(
        folder,
        teams={
            "cleaning": [{"name": "fix_text"}, {"name": "repetition", "params": {"action": "drop"}}],
            "generation": [],
            "optimization": [],
            "selection": [{"name": "random_selection"}],
        },
        sampling={"fraction": 0.8},
        training={"steps": 8, "batch_size": 4, "learning_rate": 2e-3, "lora": {"last_layers": 4}},
        judging={"tie_margin": 0.0},
        strategist={"kind": "exhaustive"},
        budget={"trials_per_round": 1},
    )
    found = search_json(folder)
    assert found["verdict"]["decision"] == "adopt", found["verdict"]["reason"]
    assert found["verdict"]["strategy"] == ["cleaning"]
    return folder / "runs" / "tiny"


def test_replays_the_search_byte_for_byte_in_a_fresh_store(adopted: Path, tmp_path: Path) -> None:
    expected = (adopted / "processed.jsonl").read_bytes()
    lines = [json.loads(line) for line in expected.splitlines()]
    assert 0 < len(lines) <= 20
    assert not any("again again" in line["answer"] for line in lines)
    # What the recipe needs lies beside it; the search's own store is not there.
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("recipe.yaml", "development.jsonl", "evaluation.jsonl"):
        shutil.copy(adopted / name, moved / name)
    result = process(
        recipe=str(moved / "recipe.yaml"),
        input=str(adopted.parents[1] / "train.jsonl"),
        output=str(tmp_path / "out.jsonl"),
        store=str(tmp_path / "store"),
    )
    assert (tmp_path / "out.jsonl").read_bytes() == expected
    assert (result.rows_in, result.rows_out) == (40, len(lines))


def test_csv_in_csv_out(adopted: Path, tmp_path: Path) -> None:
    source = [json.loads(line) for line in (adopted.parents[1] / "train.jsonl").read_text().splitlines()]
    columns = ["id", "question", "answer", "note"]
    with (tmp_path / "in.csv").open("w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, columns, restval="")
        writer.writeheader()
        writer.writerows(source)
    process(
        recipe=str(adopted / "recipe.yaml"),
        input=str(tmp_path / "in.csv"),
        output=str(tmp_path / "out.csv"),
        store=str(tmp_path / "store"),
    )
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as f:
        reader = csv.DictReader(f)
        made = list(reader)
    assert reader.fieldnames == columns
    expected = [json.loads(line) for line in (adopted / "processed.jsonl").read_text().splitlines()]
    assert [(r["id"], r["question"], r["answer"]) for r in made] == [
        (r["id"], r["question"], r["answer"]) for r in expected
    ]


def test_another_set_is_read_as_the_recipes_was(adopted: Path, tmp_path: Path) -> None:
    recipe = yaml.safe_load((adopted / "recipe.yaml").read_text())
    recipe["data_format"] = {"columns": {"question": "asked", "answer": "said"}}
    for name in ("development.jsonl", "evaluation.jsonl"):
        shutil.copy(adopted / name, tmp_path / name)
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    source = [json.loads(line) for line in (adopted.parents[1] / "train.jsonl").read_text().splitlines()]
    renamed = [{"id": r["id"], "asked": r["question"], "said": r["answer"]} for r in source]
    write_jsonl(tmp_path / "in.jsonl", renamed)
    given = {
        "recipe": str(tmp_path / "recipe.yaml"),
        "input": str(tmp_path / "in.jsonl"),
        "output": str(tmp_path / "out.jsonl"),
        "store": str(tmp_path / "store"),
    }
    process(**given)
    made = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    expected = [json.loads(line) for line in (adopted / "processed.jsonl").read_text().splitlines()]
    assert [(r["id"], r["said"]) for r in made] == [(r["id"], r["answer"]) for r in expected]
    with pytest.raises(DataError, match="which is not in the file"):
        process(**given, data_format={"columns": {"question": "question"}})


def test_an_empty_strategy_copies(adopted: Path, tmp_path: Path) -> None:
    recipe = yaml.safe_load((adopted / "recipe.yaml").read_text())
    recipe |= {"strategy": [], "teams": {}}
    for name in ("development.jsonl", "evaluation.jsonl"):
        shutil.copy(adopted / name, tmp_path / name)
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    source = adopted.parents[1] / "train.jsonl"
    process(
        recipe=str(tmp_path / "recipe.yaml"),
        input=str(source),
        output=str(tmp_path / "out.jsonl"),
        store=str(tmp_path / "store"),
    )
    assert (tmp_path / "out.jsonl").read_bytes() == source.read_bytes()


def test_refuses_an_output_that_does_not_suit_the_input(adopted: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    content = (adopted.parents[1] / "train.jsonl").read_bytes()
    source.write_bytes(content)
    values = {"recipe": str(tmp_path / "nowhere.yaml"), "input": str(source), "store": str(tmp_path / "store")}
    with pytest.raises(ConfigError, match=r"out\.csv: .*in\.jsonl; choose a name that ends in \.jsonl"):
        process(**values, output=str(tmp_path / "out.csv"))
    with pytest.raises(ConfigError, match=r"in\.jsonl is the input .*; choose another place"):
        process(**values, output=str(source))
    with pytest.raises(ConfigError, match="would be overwritten"):
        process(**{**values, "input": str(tmp_path)}, output=f"{tmp_path}/", scale_out={})
    assert [p.name for p in tmp_path.iterdir()] == ["in.jsonl"]
    assert source.read_bytes() == content


def test_another_model_behind_the_rewriters_name_is_refused_unless_it_is_asked_for(
    adopted: Path, tmp_path: Path
) -> None:
    shutil.copytree(adopted, tmp_path / "run")
    rewriter = {"managed": True}
    recipe = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())
    recipe |= {"strategy": [], "teams": {}, "rewriter": rewriter, "rewriter_sha256": "0" * 64}
    (tmp_path / "run" / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    given = {
        "recipe": str(tmp_path / "run" / "recipe.yaml"),
        "input": str(adopted.parents[1] / "train.jsonl"),
        "output": str(tmp_path / "out.jsonl"),
        "store": str(tmp_path / "store"),
    }
    with pytest.raises(ConfigError, match="is not the one that the recipe was found with: serve that one"):
        process(**given)
    assert process(**given, rewriter=rewriter).rows_out == 40


def test_refuses_files_that_are_not_the_recipes(adopted: Path, tmp_path: Path) -> None:
    for name in ("recipe.yaml", "development.jsonl", "evaluation.jsonl"):
        shutil.copy(adopted / name, tmp_path / name)
    lines = (tmp_path / "evaluation.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "evaluation.jsonl").write_text("".join(lines[1:]))
    values = {
        "recipe": str(tmp_path / "recipe.yaml"),
        "input": str(adopted.parents[1] / "train.jsonl"),
        "output": str(tmp_path / "out.jsonl"),
        "store": str(tmp_path / "store"),
    }
    with pytest.raises(DataError, match=r"evaluation\.jsonl: is not the file that the recipe was made with"):
        process(**values)
    recipe = (adopted / "recipe.yaml").read_text()
    (tmp_path / "recipe.yaml").write_text(recipe.replace("target_model_sha256: ", "target_model_sha256: 0"))
    with pytest.raises(ConfigError, match="other weights than when it was found"):
        process(**values)
    later = FLAGS_VERSION + 1
    flags = {"targeting": {"enabled": True}, "targeting_version": later}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(yaml.safe_load(recipe) | flags))
    with pytest.raises(ConfigError, match=rf"recipe\.yaml: the recipe was made with version {later} of targeting"):
        process(**values)
    assert not (tmp_path / "out.jsonl").exists()
