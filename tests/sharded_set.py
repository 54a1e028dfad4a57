"""A set with dirty records, in one Parquet file and in several."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from operators.config import Step, Targeting
from operators.data.records import Message, Record
from operators.digest import sha256_bytes
from operators.models import MINILM, SMOLLM2, model_digest
from operators.publishing import recipe_yaml
from operators.results import Recipe, RecordsFile
from operators.strategist.space import Team
from operators.teams.base import OperatorSpec
from operators.teams.registry import build

DIRT = [
    "{} <b>Call</b> (555) 555-0123 or mail me@example.org.",
    "{} \u2605\u2605\u2605 caf\u00c3\u00a9 \u200b",
    "the the same same thing again again " * 6,
    "",
    "Ja, das ist ein deutscher Satz, der hier gewiss nicht stehen soll. {}",
]
SPECS = [
    Step(name="fix_text"),
    Step(name="strip_markup", params={"markdown": "none"}),
    Step(name="mask_contacts"),
    Step(name="special_characters"),
    Step(name="language_filter", params={"languages": ["en"]}),
    Step(name="length_bounds", params={"keep_incomplete": False}),
    Step(name="repetition", params={"action": "drop"}),
    Step(name="decontaminate"),
]
"""Operators that judge each record alone."""
ALONE = [build(step.name, step.params).spec for step in SPECS]


def dirty_rows(count: int) -> list[dict[str, Any]]:
    """Question/answer rows, all different: every second one is dirty, some have no id, or the id of another, or
    neither question nor answer."""
    rows = []
    for i in range(count):
        answer = f"It is best to rest for {i} days and to drink {i % 7} glasses of water a day, said the doctor."
        if i % 2:
            answer = DIRT[i // 2 % len(DIRT)].format(answer)
        row = {"id": f"r{i}", "question": f"What helps against illness number {i}?", "answer": answer, "n": i}
        if i % 17 == 0:
            row["id"] = None
        elif i % 19 == 0:
            row["id"] = "twice"
        if i % 41 == 0:
            row["question"] = row["answer"] = None
        rows.append(row)
    return rows


SCHEMA = pa.schema([("id", pa.string()), ("question", pa.string()), ("answer", pa.string()), ("n", pa.int64())])


def write_whole(path: Path, rows: list[dict[str, Any]]) -> Path:
    """All rows in one file."""
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path)
    return path


def write_files(folder: Path, rows: list[dict[str, Any]], files: int) -> Path:
    """The rows in so many files of different sizes, one of them empty."""
    folder.mkdir(parents=True)
    step = len(rows) / sum(range(files))
    cuts = [round(step * k * (k + 1) / 2) for k in range(files)]
    for k, (a, b) in enumerate(itertools.pairwise([0, *cuts])):
        write_whole(folder / f"part-{k:03d}.parquet", rows[a:b])
    return folder


def read_files(folder: Path) -> list[dict[str, Any]]:
    """The rows of all files, in the order of the files' names."""
    return [row for file in sorted(folder.glob("*.parquet")) for row in pq.read_table(file).to_pylist()]


def write_recipe(
    folder: Path,
    asked: dict[str, Any],
    teams: dict[Team, list[OperatorSpec]],
    targeting: Targeting = Targeting(enabled=False),  # noqa: B008 - frozen
) -> Path:
    """A recipe of these teams, which was judged on the question of the row `asked`."""
    held_out = Record("e", (Message("user", asked["question"]), Message("assistant", asked["answer"])))
    evaluation = (held_out.to_json() + "\n").encode()
    (folder / "evaluation.jsonl").write_bytes(evaluation)
    recipe = Recipe(
        name="files",
        strategy=tuple(teams),
        teams=teams,
        seed=0,
        target_model=SMOLLM2,
        target_model_sha256=model_digest(SMOLLM2),
        embedder=MINILM,
        embedder_sha256=model_digest(MINILM),
        targeting=targeting,
        evaluation=RecordsFile(file="evaluation.jsonl", sha256=sha256_bytes(evaluation)),
        left_out="question",
    )
    path = folder / "recipe.yaml"
    path.write_text(recipe_yaml(recipe), encoding="utf-8")
    return path
