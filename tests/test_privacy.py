"""No text of a record is seen by the strategist, or left in a log, a result, an artifact or an exception.

Canaries stand in every field of the data. A whole search runs over them, with an LLM strategist, rewriter and
judge; then every place that is not the owner's own data is searched for them. The second half puts leaks in on
purpose, one a place, and shows that each would have been found.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import judge_peers
import pytest
from evidence import Evidence, captured_logs, captured_output, found_in, leaks, of_exception, of_files, of_prefect
from messages_peer import MessagesPeer
from model_peers import proposing, written
from rich.console import Console
from tiny import rows, run_search, search_json, settings, steady, write_jsonl

from operators.errors import AutoDPError, ConfigError

CANARIES = {
    "question": "zqxoquestion",
    "answer": "zqxoanswer",
    "system turn": "zqxosystem",
    "earlier turn": "zqxoearlier",
    "id": "zqxoidentity",
    "extra column": "zqxoextra",
    "evaluation question": "zqxoevalquestion",
    "evaluation answer": "zqxoevalanswer",
    "evaluation id": "zqxoevalidentity",
    "broken line": "zqxobroken",
    "bad row": "zqxobadrow",
    "rewritten text": "zqxorewritten",
}
"""What stands in which field. Plain words, so that no operator removes them."""

STRATEGIES = ("cleaning > generation", "optimization > selection", "generation > optimization", "selection")


def chat(row: dict[str, Any], number: int) -> dict[str, Any]:
    c = CANARIES
    # A missing answer for Generation to write.
    answer = "" if number % 8 == 0 else f"{c['answer']} {row['answer']} {c['answer']}"
    turns = [("system", f"{c['system turn']} Answer kindly. {c['system turn']}")]
    if number % 5 == 0:
        turns += [("user", f"{c['earlier turn']} Hello?"), ("assistant", f"Yes. {c['earlier turn']}")]
    turns += [("user", f"{c['question']} {row['question']} {c['question']}"), ("assistant", answer)]
    return {
        "id": f"{c['id']}-{number}",
        "messages": [{"role": role, "content": content} for role, content in turns],
        "source": f"{c['extra column']} {number}",
    }


def write_canaries(folder: Path) -> None:
    made = rows(70)
    write_jsonl(folder / "train.jsonl", [chat(r, i) for i, r in enumerate(made[:40])])
    with (folder / "train.jsonl").open("a", encoding="utf-8") as f:
        f.write('{"id": 1, "messages": [{"role": "user", "content": "' + CANARIES["broken line"] + "\n")
        f.write(json.dumps({"id": "x", "messages": CANARIES["bad row"], "source": CANARIES["bad row"]}) + "\n")
    c = CANARIES
    write_jsonl(
        folder / "evaluation.jsonl",
        [
            {
                "id": f"{c['evaluation id']}-{i}",
                "question": f"{c['evaluation question']} {r['question']}",
                "answer": f"{c['evaluation answer']} {r['answer']}",
            }
            for i, r in enumerate(made[40:])
        ],
    )


def evaluation_answers(folder: Path) -> dict[str, str]:
    """What a fair judge knows: the answer to each evaluation question, as they are written to the file."""
    lines = (folder / "evaluation.jsonl").read_text(encoding="utf-8").splitlines()
    return {r["question"]: r["answer"] for r in map(json.loads, lines)}


@dataclass
class Search:
    """A finished search over canaries, and how to run it again."""

    folder: Path
    changes: dict[str, Any]
    strategist: MessagesPeer
    rewriter: MessagesPeer
    judge: MessagesPeer
    evidence: Evidence

    def again(self, **more: Any) -> None:
        run_search(self.folder, **{**self.changes, **more})

    @property
    def asked(self) -> list[int]:
        return [len(p.requests) for p in (self.strategist, self.rewriter, self.judge)]

    def outputs(self) -> Evidence:
        run = self.folder / "runs" / "tiny"
        names = ("search.json", "report.html", "transcript.json", "recipe.yaml")
        return {name: (run / name).read_bytes() for name in names}

    def results(self) -> bytes:
        found = of_files((self.folder / "store" / "results").rglob("*"))
        assert found, "Prefect's results are looked for where they are"
        return found


@pytest.fixture(scope="module")
def searched(stack: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Search]:  # noqa: ARG001
    """The search, and all it leaves behind when it succeeds and when it fails."""
    from flows.console import console_progress

    folder = tmp_path_factory.mktemp("privacy")
    write_canaries(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTODP_TEST_KEY", "none")
        peers = [
            MessagesPeer(b)
            for b in (
                proposing(*STRATEGIES),
                written(CANARIES["rewritten text"]),
                judge_peers.judging(judge_peers.fair(evaluation_answers(folder))),
            )
        ]
        roles = ("strategist", "rewriter", "judge")
        changes = {
            "endpoints": {
                role: {"model": uuid.uuid4().hex, "base_url": peer.base_url}  # a new name: nothing is cached
                for role, peer in zip(roles, peers, strict=True)
            },
            "strategist": {"kind": "claude"},
            "targeting": {"enabled": True},
            "teams": {
                "cleaning": [{"name": "fix_text"}, {"name": "special_characters"}, {"name": "near_duplicates"}],
                "generation": [{"name": "fill_answer"}, {"name": "new_pairs", "params": {"count": 3}}],
                "optimization": [{"name": "rewrite_answer"}],
                "selection": [{"name": "nearest_to_development"}],
            },
            "judging": {"method": "pairwise", "max_answer_tokens": 8},
            "training": {"max_length": 96},
            "budget": {"rounds": 2, "trials_per_round": 2},
        }
        search = Search(folder, changes, *peers, evidence={})
        with captured_logs() as logs, captured_output() as output, console_progress(Console(stderr=True)):
            search.again()
            exceptions = [*_failed_search(search), *_failed_tasks(folder)]
        search.evidence = {
            "strategist requests": json.dumps(peers[0].requests).encode(),
            "python logs": "\n".join(logs.lines).encode(),
            "stdout and stderr": output[0],
            "exceptions": b"\n".join(map(of_exception, exceptions)),
            "prefect results": search.results(),
            **search.outputs(),
            **of_prefect(),
        }
        yield search
        for peer in peers:
            peer.close()


def _failed_search(search: Search) -> Iterator[BaseException]:
    """A worker's operator raises an exception that quotes a record."""
    with pytest.raises(AutoDPError) as caught:
        search.again(
            name="fails",
            teams={"cleaning": [{"name": "quote_and_fail"}]},
            strategist={"kind": "exhaustive"},
            budget={"rounds": 1, "trials_per_round": 1},
        )
    assert "ValueError at __init__.py" in str(caught.value)  # the failure meant, and where it was
    yield caught.value


def _failed_tasks(folder: Path) -> Iterator[BaseException]:
    """Parsers in tasks and in a flow stumble over a record."""
    from prefect import flow
    from pydantic import BaseModel

    from flows.process import ProcessConfig, process_dataset
    from tasks.durable import durable, in_store

    record = json.dumps(chat(rows(1)[0], 1))

    class Row(BaseModel):
        id: int

    @durable("parse-json", content=lambda line_number: line_number)
    def parse_json(line_number: int) -> None:  # noqa: ARG001
        json.loads(record[:-1])

    @durable("parse-row", content=lambda line_number: line_number)
    def parse_row(line_number: int) -> None:  # noqa: ARG001
        Row.model_validate_json(record)

    for broken in (parse_json, parse_row):

        @flow(name="parse")
        def parse() -> None:
            in_store(broken, str(folder / "store"))(1)  # noqa: B023 - called at once

        with pytest.raises(AutoDPError) as caught:
            parse()
        yield caught.value

    # A recipe's file of records that is cut off in the middle of one.
    run = folder / "runs" / "tiny"
    development = (run / "development.jsonl").read_bytes()
    (run / "development.jsonl").write_bytes(development[:-20])
    with pytest.raises(AutoDPError) as caught:
        process_dataset(
            ProcessConfig(
                recipe=str(run / "recipe.yaml"),
                input=str(folder / "train.jsonl"),
                output=str(folder / "out.jsonl"),
                store=str(folder / "store"),
            )
        )
    (run / "development.jsonl").write_bytes(development)
    yield caught.value


PLACES = [
    "strategist requests",
    "python logs",
    "stdout and stderr",
    "exceptions",
    "prefect results",
    "search.json",
    "report.html",
    "transcript.json",
    "recipe.yaml",
    "flow runs",
    "task runs",
    "flow run states",
    "task run states",
    "server logs",
    "artifacts",
    "server database",
]


@pytest.mark.e2e
@pytest.mark.parametrize("place", PLACES)
def test_no_record_text_leaves(searched: Search, place: str) -> None:
    assert searched.evidence[place], "there is something to search"
    assert leaks(searched.evidence[place], CANARIES.values()) == []


@pytest.mark.e2e
def test_no_place_is_forgotten(searched: Search) -> None:
    assert set(searched.evidence) == set(PLACES)
    assert found_in(searched.evidence, CANARIES) == {}


@pytest.mark.e2e
def test_the_canaries_went_through_the_search(searched: Search) -> None:
    """The search did meet every canary where it belongs, so finding none elsewhere means something."""
    found = search_json(searched.folder)
    assert [t["strategy"] for t in found["trials"]] == [s.split(" > ") for s in STRATEGIES]
    assert found["data"]["quarantined"] == 2
    assert min(searched.asked) >= 2
    private = {
        "rewriter": (json.dumps(searched.rewriter.requests).encode(), ("question", "answer")),
        "judge": (json.dumps(searched.judge.requests).encode(), ("evaluation question",)),
        "objects": (of_files((searched.folder / "store" / "objects").rglob("*")), tuple(CANARIES)),
    }
    for place, (data, names) in private.items():
        assert leaks(data, [CANARIES[n] for n in names]) == [CANARIES[n] for n in names], place
    changed = [r for t in found["trials"] for team in t["reports"] for r in team if r["operator"] == "fill_answer"]
    assert sum(r["changed"] for r in changed), "the rewriter's text is in the data"


@pytest.mark.e2e
def test_a_second_run_asks_no_model(searched: Search) -> None:
    first, asked = search_json(searched.folder), searched.asked
    searched.again()
    second = search_json(searched.folder)
    assert searched.asked == asked
    work = {k: v for k, v in second["work"].items() if not k.endswith("_requested")}
    assert work == dict.fromkeys(work, 0)
    assert steady(second) == steady(first)
    assert first["work"]["llm_requests"] == sum(asked)


LEAKS = {
    "strategist requests": "leakonerequest",
    "python logs": "leaktwolog",
    "stdout and stderr": "leakthreeprint",
    "exceptions": "leakfourexception",
    "prefect results": "leakfiveresult",
    "search.json": "leaksixreason",
    "report.html": "leaksevenreport",
    "transcript.json": "leakeightreasoning",
    "recipe.yaml": "leakninetask",
    "flow runs": "leakonerequest",  # the round's flow has the view among its parameters
    "task runs": "leaktenname",
    "flow run states": "leakfourexception",
    "task run states": "leakfourexception",
    "server logs": "leakelevensaid",
    "artifacts": "leaktwelveboard",
    "server database": "leaktwelveboard",
}


@pytest.fixture(scope="module")
def leaky(searched: Search) -> Evidence:
    """The same search with a leak put into every place, each by its own hole in the code."""
    from prefect import flow

    import flows.iteration
    import flows.search
    import flows.verdict
    import tasks.durable
    import tasks.publishing
    import tasks.story
    from operators.strategist.view import agent_view
    from tasks.durable import durable, in_store

    @durable("leaky-result", content=lambda: "x")
    def leaky_result() -> str:
        return LEAKS["prefect results"]

    @durable("leaky-exception", content=lambda: "x")
    def leaky_exception() -> None:
        raise ValueError(f"cannot parse {LEAKS['exceptions']!r}")

    @flow(name="leaky-result")
    def result_flow() -> None:
        in_store(leaky_result, str(searched.folder / "store"))()

    @flow(name="leaky-exception")
    def exception_flow() -> None:
        in_store(leaky_exception, str(searched.folder / "store"))()

    def shown_view(**values: Any) -> Any:
        logging.getLogger("operators.strategist").debug("view of %s", LEAKS["python logs"])
        print(LEAKS["stdout and stderr"])
        return agent_view(**{**values, "task": LEAKS["strategist requests"]})

    def extended(function: Any, leak: str) -> Any:
        return lambda *args, **kwargs: f"{function(*args, **kwargs)} {leak}"

    said, decided = flows.search.say, flows.verdict.decide
    behaviour = searched.strategist.behaviour
    before = len(searched.strategist.requests)
    searched.strategist.behaviour = proposing(*STRATEGIES, reasoning=f"Saw {LEAKS['transcript.json']}.")
    with pytest.MonkeyPatch.context() as patch, captured_logs() as logs, captured_output() as output:
        patch.setattr(flows.search, "agent_view", shown_view)
        patch.setattr(flows.search, "say", lambda text: said(f"{text} {LEAKS['server logs']}"))
        patch.setattr(
            flows.verdict,
            "decide",
            lambda *a, **k: (v := decided(*a, **k)).model_copy(
                update={"reason": f"{v.reason} {LEAKS['search.json']}"}
            ),
        )
        patch.setattr(flows.iteration, "label", extended(flows.iteration.label, LEAKS["task runs"]))
        patch.setattr(tasks.story, "story", extended(tasks.story.story, LEAKS["artifacts"]))
        patch.setattr(tasks.publishing, "render", extended(tasks.publishing.render, LEAKS["report.html"]))
        searched.again(data={**_data(searched.folder), "task": LEAKS["recipe.yaml"]})
        result_flow()
        patch.setattr(tasks.durable, "without_text", lambda error: error)
        with pytest.raises(ValueError) as caught:
            exception_flow()
    searched.strategist.behaviour = behaviour
    return {
        "strategist requests": json.dumps(searched.strategist.requests[before:]).encode(),
        "python logs": "\n".join(logs.lines).encode(),
        "stdout and stderr": output[0],
        "exceptions": of_exception(caught.value),
        "prefect results": searched.results(),
        **searched.outputs(),
        **of_prefect(),
    }


def _data(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = settings(folder)["data"]
    return data


@pytest.mark.e2e
@pytest.mark.parametrize("place", PLACES)
def test_a_leak_would_be_found(leaky: Evidence, searched: Search, place: str) -> None:
    assert leaks(leaky[place], [LEAKS[place]]) == [LEAKS[place]]
    assert leaks(searched.evidence[place], [LEAKS[place]]) == []


def test_a_leak_is_found_in_any_wrapping() -> None:
    import base64
    import pickle

    text = "zqxowrapped"
    wrapped = base64.encodebytes(pickle.dumps(ValueError(f"bad row: {text}")))
    assert leaks(wrapped, [text]) == [text]
    assert leaks(json.dumps({"data": wrapped.decode()}).encode(), [text]) == [text]
    assert leaks(text.upper().encode(), [text]) == [text]
    assert leaks(b"nothing", [text]) == []


@pytest.mark.parametrize("role", ["rewriter", "judge"])
def test_who_sees_records_must_be_private(tmp_path: Path, role: str) -> None:
    from operators.config import SearchConfig, parse

    def config(**endpoints: Any) -> SearchConfig:
        return parse(SearchConfig, settings(tmp_path, endpoints=endpoints), "test")

    outside: dict[str, Any] = {role: {"model": "claude", "base_url": "https://api.anthropic.com"}}
    with pytest.raises(ConfigError, match=f"{role} would send records to api.anthropic.com, outside this network"):
        config(**outside)
    with pytest.raises(ConfigError, match="outside this network"):
        config(**{role: {"model": "claude"}})  # no URL is hosted Claude
    assert config(**outside, i_allow_records_to_leave_for=[role])
    assert config(**{role: {"model": "m", "base_url": "http://127.0.0.1:8000"}})
