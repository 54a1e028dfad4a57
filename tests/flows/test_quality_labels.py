"""A search whose classifier learns from labels, which the private judge gives or the data bring along."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from messages_peer import HTTPReply, message
from tiny import rows, run_search, search_json, write_jsonl, write_set

from operators.errors import DataError
from tasks.progress import listening

pytestmark = pytest.mark.e2e


class Heard:
    """Keeps the lines that a run says."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def update(self, label: str, done: int, total: int) -> None:
        pass


def spots_dots(body: dict[str, Any], _before: int) -> HTTPReply:
    """Calls a record low quality where its answer trails off."""
    low = "..." in body["messages"][-1]["content"]
    return message(json.dumps({"quality": "low" if low else "clean"}), tokens=(50, 4))


def half_damaged() -> list[dict[str, Any]]:
    """40 rows; the answer of every other one trails off."""
    made = rows(70)[:40]
    for row in made[::2]:
        row["answer"] = f"{row['answer'][:20]}..."
    return made


def test_labels_are_asked_once_counted_and_kept_in_the_recipe(
    stack: str,  # noqa: ARG001
    tmp_path: Path,
    messages_peer: Any,
) -> None:
    peer = messages_peer(spots_dots)
    write_set(tmp_path)
    write_jsonl(tmp_path / "train.jsonl", half_damaged())
    # A model name of its own, so that no other run has these answers in the request cache.
    judge = {"model": f"judge-{tmp_path.name}-{peer.base_url[-5:]}", "base_url": peer.base_url}
    changes = {"targeting": {"enabled": True, "labels": 30}, "endpoints": {"judge": judge}}
    heard = Heard()
    with listening(heard):
        result = run_search(tmp_path, **changes)
    assert result.work.llm_requests == len(peer.requests) == 60, "30 records, each in both orders"
    assert (result.work.llm_input_tokens, result.work.llm_output_tokens) == (60 * 50, 60 * 4)
    said = " ".join(heard.lines)
    assert "Trained on 30 labels" in said
    assert "asked about 30 records and labelled 30" in said
    assert 16 <= result.data.flagged <= 24, "twenty answers trail off"

    again = run_search(tmp_path, **changes)
    assert again.work.llm_requests == 0
    assert len(peer.requests) == 60
    assert search_json(tmp_path)["verdict"]
    recipe = yaml.safe_load((tmp_path / "runs" / "tiny" / "recipe.yaml").read_text())
    assert recipe["targeting"]["labels"] == 30
    assert recipe["judge"]["base_url"] == peer.base_url


def test_labels_in_a_column_are_believed_and_no_column_is_an_error(
    stack: str,  # noqa: ARG001
    tmp_path: Path,
) -> None:
    write_set(tmp_path)
    made = half_damaged()
    for number, row in enumerate(made):
        row["bad"] = None if number % 4 == 3 else number % 2 == 0
    write_jsonl(tmp_path / "train.jsonl", made)
    changes: dict[str, Any] = {"targeting": {"enabled": True, "label_column": "bad"}}
    heard = Heard()
    with listening(heard):
        result = run_search(tmp_path, **changes)
    assert "Trained on 30 labels (20 low quality)" in " ".join(heard.lines)
    assert 16 <= result.data.flagged <= 24, "twenty answers trail off"

    changes["targeting"]["label_column"] = "worse"
    with pytest.raises(DataError, match=r"targeting\.label_column: no record has a column 'worse'"):
        run_search(tmp_path, name="misspelt", **changes)
    assert not (tmp_path / "runs" / "misspelt").exists()

    made[4]["bad"] = "the patient's own words"
    write_jsonl(tmp_path / "train.jsonl", made)
    changes["targeting"]["label_column"] = "bad"
    with pytest.raises(
        DataError, match=r"train\.jsonl: row 5: .*'bad' holds a value that is no label; give 1"
    ) as error:
        run_search(tmp_path, name="mislabelled", **changes)
    assert "patient" not in str(error.value)

    replay = {"recipe": tmp_path / "runs" / "tiny" / "recipe.yaml", "store": tmp_path / "store"}
    with pytest.raises(DataError, match=r"train\.jsonl: row 5: .*'bad' holds a value that is no label"):
        process(**replay, input=tmp_path / "train.jsonl", output=tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()
    write_jsonl(tmp_path / "train.jsonl", half_damaged())
    done = process(**replay, input=tmp_path / "train.jsonl", output=tmp_path / "out.jsonl")
    assert done.rows_in == 40


def process(**values: Any) -> Any:
    from flows.process import ProcessConfig, process_dataset

    paths = {name: str(value) for name, value in values.items()}
    return process_dataset(ProcessConfig.model_validate({"cluster": {"num_cpus": 2}, **paths}))
