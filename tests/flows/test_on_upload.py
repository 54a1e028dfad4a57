"""One upload, one end: the flows in this process against a real Prefect server, on local directories."""

from __future__ import annotations

import gzip
import json
import os
import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
from upload_recipes import as_lines, publish_recipe, records

from operators.approvals import NAME, approve, reject
from operators.errors import DataError, Unreachable
from operators.intake.ledger import Ledger, Waiting
from operators.intake.uploads import Upload, find_upload
from operators.results import DataCounts, SearchResult, Verdict, Work
from operators.strategist.space import Team

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("prefect_server")]

SECRET = "Mrs-Pemberton-of-Elm-Street"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a store where data set `med` has an approved recipe that copies."""
    run = publish_recipe(tmp_path / "run", "copy", teams={})
    approve(str(tmp_path / "store"), "med", str(run), by="Ada")
    return tmp_path


def put(place: Path, name: str, data: bytes, folder: str = "med") -> Upload:
    path = place / "uploads" / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (time.time() - 60,) * 2)
    found = find_upload(str(path))
    assert found is not None
    return found


def run(place: Path, upload: Upload, **changes: Any) -> Any:
    """The final state of the flow."""
    from flows.on_upload import on_upload
    from flows.uploads import UploadConfig

    values = {"prefix": str(place / "uploads"), "output": str(place / "out"), "store": str(place / "store")}
    return on_upload(upload, UploadConfig(**{**values, **changes}), return_state=True)


def watch(place: Path, **changes: Any) -> dict[str, int]:
    from flows.watch import WatchConfig, watch_bucket

    # Runs of this server's own on-upload, if other tests have deployed it, are none of these tests' business.
    places = {"prefix": str(place / "uploads"), "store": str(place / "store")}
    values = {**places, "deployment": "of-nobody"}
    return watch_bucket(WatchConfig(**{**values, **changes}))


def events(name: str, upload: Upload, at_least: int = 1) -> list[dict[str, Any]]:
    """What the server knows of an upload, by the name of the event."""
    return events_of(name, f"autodp.object.{upload.uri}", at_least)


def events_of(name: str, resource: str, at_least: int = 1) -> list[dict[str, Any]]:
    """The events of that name about a resource."""
    from prefect.client.orchestration import get_client

    wanted = {"event": {"name": [name]}, "resource": {"id": [resource]}}
    deadline = time.monotonic() + 30
    with get_client(sync_client=True) as client:
        while True:
            found = client.request("POST", "/events/filter", json={"filter": wanted}).json()["events"]
            if len(found) >= at_least or time.monotonic() > deadline:
                return list(found)
            time.sleep(0.3)


def nothing_found(name: str) -> SearchResult:
    """What a search says that ends without a better strategy."""
    verdict = Verdict(
        strategy=(Team.CLEANING,),
        decision="no_processing",
        win_rate=0.5,
        win_rate_ci=(0.4, 0.6),
        score=0.0,
        score_ci=(-0.1, 0.1),
        n=20,
        reason="Leave the data as they are.",
    )
    counts = DataCounts(rows=20, quarantined=0, flagged=0, sampled=20)
    return SearchResult(
        name=name,
        verdict=verdict,
        trials=[],
        work=Work(),
        data=counts,
        seconds={},
        strategist="surrogate",
        stopped="rounds",
        final_reports=[],
    )


def end(place: Path, upload: Upload) -> Any:
    return Ledger(str(place / "store")).outcome(upload)


def test_an_upload_is_processed_once_however_often_it_is_asked_for(place: Path) -> None:
    data = as_lines(records(20))
    upload = put(place, "a.jsonl", data)
    # A thread by itself would not know the test's server: Prefect keeps its settings in the context.
    contexts = [copy_context() for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        names = [s.name for s in pool.map(lambda context: context.run(run, place, upload), contexts)]
    names += [run(place, upload).name for _ in range(2)]
    assert sorted(names) == ["Completed", "Duplicate", "Duplicate", "Duplicate"]
    assert (place / "out" / "med" / "a.jsonl").read_bytes() == data
    outcome = end(place, upload)
    assert (outcome.status, outcome.rows_in, outcome.rows_out) == ("processed", 20, 20)
    assert "Ada" in outcome.reason
    assert len(events("autodp.upload.processed", upload)) == 1
    folder = place / "store" / "uploads" / str(upload.id)
    assert [p.name for p in folder.iterdir()] == ["outcome.json"], "all else is cleared away"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("broken.jsonl", f'{{"{SECRET}\n{{{SECRET}'.encode()),
        ("half.jsonl.gz", gzip.compress(as_lines(records(20)))[:-200]),
        ("empty.csv", b""),
        ("not.parquet", SECRET.encode()),
    ],
)
def test_what_cannot_be_read_is_set_aside_with_one_clear_sentence(
    place: Path, name: str, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    upload = put(place, name, data)
    state = run(place, upload)
    assert state.is_failed()
    assert run(place, upload).name == "Duplicate"
    outcome = end(place, upload)
    assert outcome.status == "failed"
    assert Path(outcome.output).read_bytes() == data
    kept = json.loads(Path(f"{outcome.output}.reason.json").read_text())
    assert kept["reason"] == outcome.reason
    (told,) = events("autodp.upload.failed", upload)
    assert told["payload"]["reason"] == outcome.reason
    for text in (outcome.reason, str(state.message), json.dumps(told), caplog.text):
        assert SECRET not in text
    assert not (place / "out").exists()


def test_an_object_that_is_gone(place: Path) -> None:
    upload = put(place, "a.jsonl", as_lines(records(5)))
    Path(upload.uri).unlink()
    assert run(place, upload).is_failed()
    assert "was deleted before it was read" in end(place, upload).reason
    assert len(events("autodp.upload.failed", upload)) == 1


def test_an_object_that_is_gone_since_it_was_copied_is_processed_from_the_copy(place: Path) -> None:
    """As one that waited for a search, or whose run died."""
    upload = put(place, "a.jsonl", as_lines(records(5)))
    Ledger(str(place / "store")).snapshot(upload)
    Path(upload.uri).unlink()
    assert run(place, upload).is_completed()
    assert end(place, upload).rows_out == 5


def test_folders_are_data_sets_of_their_own(place: Path) -> None:
    from flows.uploads import UploadConfig

    def data_set(name: str, **changes: Any) -> str:
        upload = put(place, "a.jsonl", as_lines(records(1)), folder=name)
        return UploadConfig(prefix=str(place / "uploads"), output="out", **changes).data_set_of(upload)

    named = [data_set(name) for name in ("med", "a b", "a-b", "患者", "薬")]
    assert named[0] == "med"
    assert named[2] == "a-b"
    assert len(set(named)) == 5
    assert all(re.match(NAME, name) for name in named)
    elsewhere = {"alpha": str(place / "uploads" / "a")}
    assert data_set("a", data_sets=elsewhere) == "alpha"
    assert data_set("ab", data_sets=elsewhere) == "ab"


def test_an_object_that_was_written_again_is_left_to_its_new_version(place: Path) -> None:
    old = put(place, "a.jsonl", as_lines(records(5)))
    new = put(place, "a.jsonl", as_lines(records(7)))
    assert run(place, old).is_completed()
    assert end(place, old).status == "superseded"
    assert run(place, new).is_completed()
    assert end(place, new).rows_out == 7
    assert events("autodp.upload.failed", old, 0) == []


def test_without_a_recipe_or_a_search(place: Path) -> None:
    upload = put(place, "a.jsonl", as_lines(records(5)), folder="other")
    assert run(place, upload).is_failed()
    assert "data set other has no approved recipe" in end(place, upload).reason
    assert "autodp approve RUN --data-set other" in end(place, upload).reason


def test_what_failed_for_want_of_a_recipe_can_be_retried(place: Path) -> None:
    from flows.retrying import retry_upload

    store = str(place / "store")
    upload = put(place, "a.jsonl", as_lines(records(20)), folder="late")
    assert run(place, upload).is_failed()
    assert end(place, upload).status == "failed"
    assert run(place, upload).name == "Duplicate"
    approve(store, "late", str(place / "run"), by="Ada")
    retry_upload(upload.uri, store)
    assert len(events("autodp.object.created", upload)) == 1
    assert run(place, upload).is_completed()
    assert end(place, upload).status == "processed"
    other = put(place, "b.jsonl", as_lines(records(5)), folder="late")
    with pytest.raises(DataError, match="has no end yet"):
        retry_upload(other.uri, store)
    with pytest.raises(DataError, match="no such object"):
        retry_upload(f"{upload.uri}.x", store)


def test_an_earlier_version_that_is_stored_again_can_be_retried(place: Path) -> None:
    """On S3 it is the version that it was, as here, where also its time is the same."""
    from flows.retrying import retry_upload

    store = str(place / "store")
    old = put(place, "a.jsonl", as_lines(records(5)))
    kept = place / "kept"
    Path(old.uri).rename(kept)
    new = put(place, "a.jsonl", as_lines(records(7)))
    assert run(place, old).is_completed()
    assert end(place, old).status == "superseded"
    assert run(place, new).is_completed()
    kept.rename(old.uri)
    assert find_upload(old.uri) == old
    assert run(place, old).name == "Duplicate"
    for _ in range(2):
        retry_upload(old.uri, store)
        assert run(place, old).is_completed()
        assert (end(place, old).status, end(place, old).rows_out) == ("processed", 5)
    assert (place / "out" / "med" / "a.jsonl").read_bytes() == as_lines(records(5))


def test_the_first_upload_of_a_set_is_read_as_its_search_is_told(place: Path) -> None:
    from flows.search import search
    from tasks.runs import find_run

    columns = {"question": "frage", "answer": "antwort"}
    lines = as_lines([{columns[k]: v for k, v in row.items() if k in columns} for row in records(20)])
    upload = put(place, "a.jsonl", lines, folder="fresh")
    name = f"search-{place.name}"
    assert search.to_deployment(name=name).apply()
    data = {"input": "replaced", "columns": columns}
    state = run(place, upload, search={"name": "replaced", "data": data}, search_deployment=f"search/{name}")
    assert state.name == "Searching"
    (waiting,) = Ledger(str(place / "store")).waiting()
    started = find_run(waiting.search_run)
    assert started is not None
    assert started.parameters["config"]["data"]["columns"] == columns
    assert started.parameters["config"]["data_set"] == "fresh"


def test_what_lies_elsewhere_is_refused(place: Path) -> None:
    upload = put(place, "a.jsonl", as_lines(records(5)))
    state = run(place, upload, prefix=str(place / "elsewhere"))
    assert state.is_failed()
    assert "is not a data file below" in str(state.message)
    assert end(place, upload) is None
    assert not (place / "store" / "uploads").exists()


def test_a_passing_fault_leaves_the_upload_to_the_next_attempt(place: Path) -> None:
    upload = put(place, "a.jsonl", as_lines(records(5)))
    (place / "out").write_text("a file where a folder must be")
    for attempt in (1, 2):
        assert run(place, upload, attempts=3).is_failed()
        assert end(place, upload) is None, attempt
    (place / "out").unlink()
    assert run(place, upload, attempts=3).is_completed()
    assert end(place, upload).status == "processed"


def test_a_pass_tells_of_each_new_object_once_and_repairs_what_was_lost(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.watch.UNHEARD", 1)
    a, b = (put(place, f"{n}.jsonl", as_lines(records(5, seed))) for seed, n in enumerate("ab"))
    assert watch(place) == {"new": 2, "repaired": 0, "given_up": 0}
    assert watch(place) == {"new": 0, "repaired": 0, "given_up": 0}
    (told,) = events("autodp.object.created", a)
    assert told["id"] == str(a.id)
    assert told["payload"] == {"upload": a.model_dump(mode="json"), "attempt": 1}
    assert run(place, b).is_completed()
    # Nobody took the event of a: no deployment listens here.
    time.sleep(1.1)
    assert watch(place, repair_after=1) == {"new": 0, "repaired": 1, "given_up": 0}
    assert {e["id"] for e in events("autodp.object.created", a, 2)} == {str(a.id), str(a.event_id(2))}
    time.sleep(1.1)
    assert watch(place, repair_after=1, attempts=2) == {"new": 0, "repaired": 0, "given_up": 1}
    assert end(place, a).status == "failed"
    assert "no run began after 2 events" in end(place, a).reason
    assert watch(place, repair_after=1) == {"new": 0, "repaired": 0, "given_up": 0}


def test_an_upload_that_cannot_be_set_aside_keeps_a_pass_from_no_other(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.watch.UNHEARD", 1)
    lost = put(place, "a.jsonl", as_lines(records(5)))
    assert watch(place)["new"] == 1
    other = put(place, "b.jsonl", as_lines(records(5)))
    aside = place / "aside"
    aside.write_text("a file where a folder must be")
    time.sleep(1.1)
    with pytest.raises(Unreachable, match="aside"):
        watch(place, repair_after=1, attempts=1, quarantine=str(aside))
    assert events("autodp.object.created", other)
    assert Ledger(str(place / "store")).outcome(lost) is None
    aside.unlink()
    assert watch(place, repair_after=1, attempts=1, quarantine=str(aside))["given_up"] >= 1
    assert end(place, lost).status == "failed"


def test_what_a_run_holds_is_not_asked_for_again(place: Path) -> None:
    upload = put(place, "a.jsonl", as_lines(records(5)))
    assert watch(place)["new"] == 1
    ledger = Ledger(str(place / "store"))
    lease = ledger.lease(upload, "a run", 10)
    assert lease.acquire()
    holding = ledger.claim(str(upload.id))
    assert holding is not None
    time.sleep(1.1)
    assert watch(place, repair_after=1)["repaired"] == 0
    time.sleep(max(0.0, holding.expires - time.time()) + 0.1)  # it has stopped giving signs of life
    assert watch(place, repair_after=1)["repaired"] == 1


def test_what_a_run_copied_before_it_died_is_asked_for_again_though_its_object_is_gone(place: Path) -> None:
    upload = put(place, "a.jsonl", as_lines(records(5)))
    assert watch(place)["new"] == 1
    ledger = Ledger(str(place / "store"))
    ledger.snapshot(upload)
    Path(upload.uri).unlink()
    time.sleep(1.1)
    assert watch(place, prefix=str(place / "elsewhere"), repair_after=1)["repaired"] == 0
    assert watch(place, repair_after=1)["repaired"] == 1
    assert {e["id"] for e in events("autodp.object.created", upload, 2)} == {
        str(upload.id),
        str(upload.event_id(2)),
    }
    assert run(place, upload).is_completed()
    assert end(place, upload).rows_out == 5
    time.sleep(1.1)
    assert watch(place, repair_after=1)["repaired"] == 0


def test_an_upload_that_no_pass_has_told_of_is_asked_for_again_too(place: Path) -> None:
    """As one that the receiver told of: its object is gone when its run has failed."""
    upload = put(place, "a.jsonl", as_lines(records(5)))
    (place / "out").write_text("a file where a folder must be")
    assert run(place, upload, attempts=3).is_failed()
    Path(upload.uri).unlink()
    (place / "out").unlink()
    time.sleep(1.1)
    assert watch(place, repair_after=1) == {"new": 0, "repaired": 1, "given_up": 0}
    assert run(place, upload, attempts=3).is_completed()
    assert end(place, upload).rows_out == 5


def test_a_pass_lets_those_go_on_that_wait_in_vain(place: Path) -> None:
    """A decision was made while the wait was noted; the server has lost its database; the search has failed."""
    from prefect import flow

    @flow
    def failing() -> None:
        raise ValueError

    failed = str(failing(return_state=True).state_details.flow_run_id)
    ledger = Ledger(str(place / "store"))
    waits = [(0, str(uuid.uuid4())), (1, str(uuid.uuid4())), (1, failed)]
    uploads = []
    for number, (decisions, search) in enumerate(waits):
        uploads.append(put(place, f"{number}.jsonl", as_lines(records(5, number))))
        assert ledger.mark_asked(uploads[-1], 1)
        ledger.wait(Waiting(upload=uploads[-1], data_set="med", search_run=search, decisions=decisions))
    watch(place)
    assert not list(ledger.waiting())
    for upload in uploads[:2]:
        assert [e["payload"]["attempt"] for e in events("autodp.object.created", upload)] == [2]
        assert end(place, upload) is None
    assert end(place, uploads[2]).status == "failed"
    assert "the search for a recipe for data set med failed" in end(place, uploads[2]).reason


def test_runs_that_are_gone_are_told_from_those_that_wait(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.states import Pending, Running, Scheduled

    @flow
    def works(upload: dict[str, Any]) -> None:
        pass

    monkeypatch.setattr("tasks.runs.PAGE", 1)
    name = f"works-{place.name}"
    deployment = works.to_deployment(name=name).apply()
    runs = {}
    with get_client(sync_client=True) as client:
        for state in (Scheduled(), Pending(), Running()):
            upload = put(place, f"{state.type.value}.jsonl", as_lines(records(5)))
            told = {"upload": upload.model_dump(mode="json")}
            made = client.create_flow_run_from_deployment(deployment, parameters=told, state=state)
            runs[state.type.value] = made.id

        def states() -> list[str]:
            return [client.read_flow_run(runs[n]).state_type.value for n in ("SCHEDULED", "PENDING", "RUNNING")]

        assert watch(place, deployment=name)["new"] == 3
        assert states() == ["SCHEDULED", "PENDING", "RUNNING"]
        time.sleep(1.1)
        assert watch(place, deployment=name, repair_after=1)["repaired"] == 1
        assert states() == ["SCHEDULED", "PENDING", "CRASHED"], "one may wait long for a place in the cluster"
        watch(place, deployment=name, repair_after=1, start_within=1)
        assert states() == ["SCHEDULED", "CRASHED", "CRASHED"]


def test_a_rejection_ends_the_waiting_for_that_search_alone(place: Path) -> None:
    from prefect import flow

    @flow
    def searching() -> str:
        return "found something"

    search = str(searching(return_state=True).state_details.flow_run_id)
    store, ledger = str(place / "store"), Ledger(str(place / "store"))
    for name in ("med-1", "med-2"):
        publish_recipe(place / "runs" / name, name)
    uploads = {n: put(place, f"{n}.jsonl", as_lines(records(5, i))) for i, n in enumerate(("med-1", "med-2"))}
    for name, upload in uploads.items():
        assert ledger.mark_asked(upload, 1)
        # The data set has an approved recipe already, from which these records differ.
        ledger.wait(Waiting(upload=upload, data_set="med", search_run=search, search=name, decisions=1))
    reject(store, "med", str(place / "runs" / "med-1"), by="Ada")
    watch(place)
    assert end(place, uploads["med-1"]).status == "failed"
    assert [w.upload for w in ledger.waiting()] == [uploads["med-2"]]
    approve(store, "med", str(place / "runs" / "med-1"), by="Bob")
    watch(place)
    assert list(ledger.waiting()) == []
    assert end(place, uploads["med-2"]) is None, "it is asked for again, and fits the approved recipe or not"


def test_a_person_is_asked_again_where_nobody_is(place: Path) -> None:
    """The run that asked for a decision has expired. The server knows a deployment that asks, as in production."""
    from prefect import flow

    @flow
    def asks(data_set: str) -> None:
        pass

    found = publish_recipe(place / "runs" / "new", "new")
    (found / "search.json").write_text(nothing_found("new").model_dump_json())
    config = {"name": "new", "output": str(place / "runs"), "data": {"input": "x"}, "store": str(place / "store")}

    @flow
    def searching(config: dict[str, Any]) -> str:
        return config["name"]

    search = searching(config, return_state=True).state_details.flow_run_id
    deployment = f"asks-{place.name}"
    assert asks.to_deployment(name=deployment).apply()
    upload = put(place, "a.jsonl", as_lines(records(5)), folder="new")
    ledger = Ledger(str(place / "store"))
    assert ledger.mark_asked(upload, 1)
    ledger.wait(Waiting(upload=upload, data_set="new", search_run=str(search), decisions=0))
    time.sleep(1.1)
    watch(place, repair_after=1, approve_deployment="no-such")
    assert not events_of("autodp.search.finished", "autodp.search.new", 0)
    watch(place, repair_after=1, approve_deployment=deployment)
    (told,) = events_of("autodp.search.finished", "autodp.search.new")
    assert told["payload"]["run"] == str(found)
    assert told["payload"]["data_set"] == "new"
    (found / "search.json").unlink()
    assert watch(place, repair_after=1, approve_deployment=deployment)["given_up"] == 0
    assert len(events_of("autodp.search.finished", "autodp.search.new")) == 1
    assert len(list(ledger.waiting())) == 1
