"""Whatever is wrong with the input or a model's server: one clear sentence or a logged fallback, the right exit
code, and a store that later runs can use."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import Outcome, autodp, autodp_process
from messages_peer import Behaviour, HTTPReply, MessagesPeer, failure, message
from model_peers import written
from tiny import MARKS, rows, search_json, settings, write_config, write_jsonl, write_set

from tasks.processing import apply_team

pytestmark = pytest.mark.e2e

Peer = Callable[[Behaviour], MessagesPeer]
ONE_TRIAL = {"strategist": {"kind": "exhaustive"}, "budget": {"trials_per_round": 1}}
DOWN = "http://127.0.0.1:9"
"""The discard port, where nothing listens."""


@pytest.fixture(scope="module")
def folder(stack: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:  # noqa: ARG001
    """A good set and a store that all bad runs share; it must be whole in the end."""
    place = tmp_path_factory.mktemp("bad")
    write_set(place)
    yield place
    for file in (place / "store" / "objects").rglob("*"):
        if file.is_file():
            assert file.name == sha256(file.read_bytes()).hexdigest(), "an object is damaged or half-written"


def search(folder: Path, **changes: Any) -> Outcome:
    return autodp("search", write_config(folder, **{**ONE_TRIAL, **changes}))


def with_data(folder: Path, **changes: Any) -> dict[str, Any]:
    data: dict[str, Any] = settings(folder)["data"]
    return {**data, **changes}


def jsonl(lines: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


UNUSABLE = {
    "empty": (b"", "bad.jsonl: the file is empty"),
    "blank": (b"\n\n", "bad.jsonl: .*(no rows|no row can be used)"),
    "column": (
        jsonl([{"id": r["id"], "question": r["question"], "notes": "x"} for r in rows(40)]),
        "bad.jsonl: no known schema among the columns .*question.*; name them in the configuration",
    ),
    "no json": (b"<html>\n" * 40, "bad.jsonl: no row can be used .*first in row 1"),
    "no utf-8": (b'{"question": "\xff", "answer": "a"}\n' * 40, "bad.jsonl: no row can be used .*UTF-8.*row 1"),
    "identical": (
        jsonl([{**rows(1)[0], "id": str(i)} for i in range(40)]),
        "too few records to hold questions out: 24 questions are needed .* 1 of 40 records are usable",
    ),
    "few": (
        jsonl(rows(10)),
        "too few records to hold questions out: 24 questions are needed .* 10 of 10 records are usable",
    ),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_file_that_cannot_be_used(folder: Path, name: str) -> None:
    content, expected = UNUSABLE[name]
    (folder / "bad.jsonl").write_bytes(content)
    done = search(folder, data=with_data(folder, input=str(folder / "bad.jsonl"), evaluation=None))
    assert done.code == 1
    assert re.search(expected, done.error), done.error


def test_too_few_evaluation_questions(folder: Path) -> None:
    write_jsonl(folder / "few.jsonl", rows(70)[40:50])
    done = search(folder, data=with_data(folder, evaluation=str(folder / "few.jsonl")))
    assert done.code == 1
    assert "data.evaluation has too few questions: 24 are needed" in done.error
    assert "10 of its 10 records are usable" in done.error


def test_a_file_that_is_not_there(folder: Path) -> None:
    done = search(folder, data=with_data(folder, input=str(folder / "nowhere.jsonl")))
    assert done.code == 1
    assert "nowhere.jsonl: no such file or directory" in done.error


def test_bad_rows_are_set_aside_and_named(folder: Path) -> None:
    """A broken line, invalid UTF-8, a giant record and a missing answer column are one row each; the rest is
    processed. A record of a million characters less one is no bad row."""
    good = [json.dumps(r).encode() for r in rows(40)]
    giant = json.dumps({**rows(1)[0], "id": "giant", "answer": "x" * 1_000_001}).encode()
    large = json.dumps({**rows(1)[0], "id": "large", "answer": "word " * 190_000}).encode()
    lines = [
        *good[:5],
        b'{"id": "broken", "question": "What',
        b'{"id": "latin", "question": "caf\xe9", "answer": "b"}',
        giant,
        *good[5:],
        large,
        b'{"id": "other", "text": "c"}',
    ]
    (folder / "mixed.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    done = search(folder, name="mixed", data=with_data(folder, input=str(folder / "mixed.jsonl")))
    assert done.code == 0, done.err
    found = search_json(folder, "mixed")
    assert (found["data"]["rows"], found["data"]["quarantined"]) == (41, 4)
    assert "41 records, 4 bad rows quarantined" in done.err
    quarantine = (folder / "runs" / "mixed" / "quarantine.jsonl").read_text().splitlines()
    told = {entry["row"]: entry["reason"] for entry in map(json.loads, quarantine)}
    assert sorted(told) == [6, 7, 8, 45]
    assert "JSON" in told[6]
    assert "UTF-8" in told[7]
    assert "1,000,0" in told[8]
    assert "caf" not in done.err


def test_identical_records_are_no_reason_to_fail(folder: Path) -> None:
    write_jsonl(folder / "same.jsonl", [{**rows(1)[0], "id": str(i)} for i in range(40)])
    done = search(folder, name="same", data=with_data(folder, input=str(folder / "same.jsonl")))
    assert done.code == 0, done.err
    assert search_json(folder, "same")["data"]["rows"] == 40


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"teams": {"cleaning": [{"name": "polish"}]}}, "unknown operator 'polish'; `autodp operators` lists"),
        ({"teams": {"cleaning": [{"name": "longest"}]}}, "operator longest belongs to team selection"),
        ({"teams": {"polishing": []}}, "teams.polishing.*: Input should be 'cleaning', 'generation'"),
        (
            {"teams": {"selection": [{"name": "mark_selection", "params": {"keep": "all"}}]}},
            "operator mark_selection: keep: Input should be 'even' or 'odd'",
        ),
        ({"training": {"model": "no/such-model"}}, "model 'no/such-model' is neither a directory nor"),
        ({"embedding": {"model": "no/such-embedder"}}, "model 'no/such-embedder' is neither a directory nor"),
        ({"training": {"steps": 0}}, "training.steps: Input should be greater than or equal to 1"),
        ({"trainng": {}}, "trainng: Extra inputs are not permitted"),
    ],
)
def test_a_configuration_that_cannot_be_used(folder: Path, changes: dict[str, Any], expected: str) -> None:
    done = search(folder, **changes)
    assert done.code == 1
    assert re.search(expected, done.error), done.error


@pytest.fixture(scope="module")
def recipe(folder: Path) -> dict[str, Any]:
    """The recipe of a search on the good set, given a strategy."""
    done = search(folder)
    assert done.code == 0, done.err
    found: dict[str, Any] = yaml.safe_load((folder / "runs" / "tiny" / "recipe.yaml").read_text())
    spec = {"name": "mark_cleaning", "version": 1, "params": {}}
    return {**found, "strategy": ["cleaning"], "teams": {"cleaning": [spec]}}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"strategy": ["polishing"]}, "bad.yaml: not a usable recipe: strategy.0: Input should be 'cleaning'"),
        ({"strategy": ["selection"]}, "bad.yaml: .*selection.* has no operators"),
        ({"teams": {"cleaning": [{"name": "polish", "version": 1, "params": {}}]}}, "unknown operator 'polish'"),
        (
            {"teams": {"cleaning": [{"name": "mark_cleaning", "version": 2, "params": {}}]}},
            "made with mark_cleaning version 2, installed is version 1",
        ),
        ({"recipe": 2}, "bad.yaml: not a usable recipe: recipe: Input should be 1"),
    ],
)
def test_a_recipe_that_cannot_be_replayed(
    folder: Path, recipe: dict[str, Any], change: dict[str, Any], expected: str
) -> None:
    file = folder / "runs" / "tiny" / "bad.yaml"
    file.write_text(yaml.safe_dump({**recipe, **change}))
    output = folder / "out.jsonl"
    done = autodp("process", file, folder / "train.jsonl", output, "--set", f"store={folder / 'store'}")
    assert done.code == 1
    assert re.search(expected, done.error), done.error
    assert not output.exists()


def test_a_recipe_that_can(folder: Path, recipe: dict[str, Any]) -> None:
    file = folder / "runs" / "tiny" / "good.yaml"
    file.write_text(yaml.safe_dump(recipe))
    output = folder / "good.jsonl"
    done = autodp("process", file, folder / "train.jsonl", output, "--set", f"store={folder / 'store'}")
    assert done.code == 0, done.err
    assert "40 records in, 40 out, 0 quarantined" in done.out
    assert len(output.read_text().splitlines()) == 40


def html(_body: dict[str, Any], _before: int) -> HTTPReply:
    return HTTPReply(200, b"<html>It works!</html>", {"content-type": "text/html"})


def error_500(_body: dict[str, Any], _before: int) -> HTTPReply:
    return failure(500)


def prose(_body: dict[str, Any], _before: int) -> HTTPReply:
    return message("I would clean it, I suppose.")


BROKEN_SERVERS = {
    "down": (None, "is down: no connection to http://127.0.0.1:9 after 2 attempts; start the server or correct"),
    "html": (html, "nonsense|got no answer"),
}
LLM_TEAM = {**MARKS, "cleaning": [], "generation": [{"name": "new_pairs", "params": {"count": 4}}]}


def endpoint(url: str, **more: Any) -> dict[str, Any]:
    return {"model": f"m{sha256(url.encode()).hexdigest()[:6]}", "base_url": url, "retries": 1, **more}


@pytest.mark.parametrize("name", BROKEN_SERVERS)
def test_a_rewriter_that_does_not_answer_stops_the_search(
    folder: Path, messages_peer: Peer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply_team, "retry_delay_seconds", [0, 0])
    behaviour, expected = BROKEN_SERVERS[name]
    url = messages_peer(behaviour).base_url if behaviour else DOWN
    done = search(folder, teams=LLM_TEAM, endpoints={"rewriter": endpoint(url)})
    assert done.code == 1
    assert re.search(expected, done.error), done.error
    assert "rewriter" in done.error


def test_once_the_rewriter_answers_the_search_goes_on(folder: Path, messages_peer: Peer) -> None:
    peer = messages_peer(error_500)
    changes = {"name": "mended", "teams": LLM_TEAM, "endpoints": {"rewriter": endpoint(peer.base_url)}}
    failed = search(folder, **changes)
    assert failed.code == 1
    assert "got no answer; see the log of the rewriter's server" in failed.error
    peer.behaviour = written("written")
    done = search(folder, **changes)
    assert done.code == 0, done.err
    reports = search_json(folder, "mended")["trials"][0]["reports"]
    assert reports[0][0]["added"] > 0, "nothing of the failed run was taken for a result"


def test_where_no_strategist_is_there_the_search_explores(folder: Path) -> None:
    changes = {"endpoints": {"strategist": endpoint(DOWN)}, "strategist": {"kind": "claude"}}
    done = search(folder, name="down", **changes)
    assert done.code == 0, done.err
    transcript = json.loads((folder / "runs" / "down" / "transcript.json").read_text())
    assert transcript[0]["source"] == "optuna"
    assert "endpoint_error" in transcript[0]["fallbacks"]
    assert len(search_json(folder, "down")["trials"]) == 1


def test_once_the_strategist_answers_it_is_asked(folder: Path, messages_peer: Peer) -> None:
    peer = messages_peer(error_500)
    changes = {
        "name": "strategist-back",
        "endpoints": {"strategist": endpoint(peer.base_url)},
        "strategist": {"kind": "claude"},
    }
    assert search(folder, **changes).code == 0
    asked = len(peer.requests)
    peer.behaviour = prose
    assert search(folder, **changes).code == 0
    assert len(peer.requests) > asked
    transcript = json.loads((folder / "runs" / "strategist-back" / "transcript.json").read_text())
    assert transcript[0]["fallbacks"] == ["invalid_json"]
    assert transcript[0]["source"] == "optuna", "neither answer can be used, so it explores"


def test_a_strategist_that_is_lost_after_a_useless_answer_is_asked_anew(folder: Path, messages_peer: Peer) -> None:
    peer = messages_peer(
        lambda body, n: error_500(body, n) if "refused" in str(body["messages"]) else prose(body, n)
    )
    changes = {
        "name": "strategist-lost",
        "endpoints": {"strategist": endpoint(peer.base_url)},
        "strategist": {"kind": "claude"},
    }
    for fallbacks in (["endpoint_error"], ["invalid_json"]):
        assert search(folder, **changes).code == 0
        transcript = json.loads((folder / "runs" / "strategist-lost" / "transcript.json").read_text())
        assert transcript[0]["fallbacks"] == fallbacks
        peer.behaviour = prose


def test_as_a_process(folder: Path, stack: str) -> None:
    """Exit codes as a shell sees them; and after everything above, the shared store serves a good run."""
    (folder / "empty.jsonl").write_bytes(b"")
    bad = write_config(folder, **ONE_TRIAL, data=with_data(folder, input=str(folder / "empty.jsonl")))
    done = autodp_process(stack, "search", bad)
    assert done.code == 1
    assert done.error.endswith("empty.jsonl: the file is empty")
    good = write_config(folder, **ONE_TRIAL, name="good")
    done = autodp_process(stack, "search", good)
    assert done.code == 0, done.err
    assert search_json(folder, "good")["trials"]
    assert "sealed questions" in " ".join(done.out.split())
