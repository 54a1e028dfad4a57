"""Recipes for uploads, as a search would have published them, and objects to upload."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tiny import rows

from operators.config import Targeting
from operators.data.records import Message, Record
from operators.digest import sha256_bytes
from operators.drift import make_reference
from operators.models import MINILM, SMOLLM2, model_digest
from operators.publishing import recipe_yaml
from operators.record_vectors import embed_records, whole
from operators.results import Recipe, RecordsFile
from operators.strategist.space import Team
from operators.teams.registry import build

STUCK = "the the same same thing again again " * 6
"""An answer that the recipe drops."""
DROPS_STUCK = {Team.CLEANING: {"fix_text": {}, "repetition": {"action": "drop"}}}


def records(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Rows of which every other has an answer that is a stuck loop."""
    return [r if i % 2 else {**r, "answer": STUCK} for i, r in enumerate(rows(count, seed))]


def as_lines(found: list[dict[str, Any]]) -> bytes:
    """Rows as the bytes of a JSON-lines file."""
    return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in found).encode()


def publish_recipe(
    folder: Path,
    name: str,
    found_on: list[dict[str, Any]] | None = None,
    teams: Mapping[Team, Mapping[str, dict[str, Any]]] = DROPS_STUCK,
    targeting: Targeting = Targeting(enabled=False),  # noqa: B008 - frozen
) -> Path:
    """The recipe in a search's output directory, with a summary of the rows it was `found_on`, where given."""
    folder.mkdir(parents=True)
    reference = None
    if found_on is not None:
        turns = [(Message("user", r["question"]), Message("assistant", r["answer"])) for r in found_on]
        vectors = embed_records([Record(str(i), t) for i, t in enumerate(turns)], len(turns))
        content = make_reference(whole(vectors), MINILM, model_digest(MINILM)).model_dump_json().encode()
        (folder / "reference.json").write_bytes(content)
        reference = RecordsFile(file="reference.json", sha256=sha256_bytes(content))
    recipe = Recipe(
        name=name,
        strategy=tuple(teams),
        teams={t: [build(n, p, team=t).spec for n, p in chain.items()] for t, chain in teams.items()},
        seed=0,
        target_model=SMOLLM2,
        target_model_sha256=model_digest(SMOLLM2),
        embedder=MINILM,
        embedder_sha256=model_digest(MINILM),
        targeting=targeting,
        reference=reference,
    )
    (folder / "recipe.yaml").write_text(recipe_yaml(recipe))
    return folder
