"""Recipes that are put in force, or not: by a policy, on the command line, and for uploads that wait for them."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from command_line import autodp
from tiny import rows
from upload_recipes import as_lines, publish_recipe, records

from operators.approvals import approve, approved, reject
from operators.intake.ledger import Ledger, Outcome, Waiting
from operators.intake.uploads import Upload, find_upload
from operators.results import DataCounts, SearchResult, Verdict, Work
from operators.strategist.space import Team

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("prefect_server")]


def found(place: Path, decision: str = "adopt", low: float = 0.2, **known: Any) -> Path:
    """The output directory of a search."""
    run = publish_recipe(place / "run", "copy", teams={})
    verdict = Verdict(
        strategy=(Team.CLEANING,), decision=decision, win_rate=0.7, win_rate_ci=(0.6, 0.8), score=0.4,
        score_ci=(low, 0.6), n=50, reason="Adopt cleaning: it helps.",
    )  # fmt: skip
    counts = DataCounts(rows=20, quarantined=0, flagged=None, sampled=20, processed=18)
    result = SearchResult(
        name="copy-1a2b", verdict=verdict, trials=[], work=Work(), data=counts, seconds={}, **known
    )
    (run / "search.json").write_text(result.model_dump_json())
    return run


def waits(place: Path, data_set: str = "med") -> Upload:
    """An upload that waits for a decision."""
    path = place / "uploads" / data_set / "a.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(as_lines(records(5)))
    upload = find_upload(str(path))
    assert upload is not None
    ledger = Ledger(str(place / "store"))
    ledger.snapshot(upload)
    ledger.wait(Waiting(upload=upload, data_set=data_set, search_run=str(uuid.uuid4())))
    return upload


def outcome(place: Path, upload: Upload) -> Outcome | None:
    return Ledger(str(place / "store")).outcome(upload)


def test_a_policy_decides_only_about_what_it_allows(tmp_path: Path) -> None:
    from flows.approve import ApprovalPolicy

    for bound, decision, low, allowed in (
        (0.1, "adopt", 0.2, True),
        (0.2, "adopt", 0.2, False),
        (0.1, "no_processing", 0.2, False),
        (None, "adopt", 0.9, False),
    ):
        run = found(tmp_path / str(uuid.uuid4()), decision, low)
        result = SearchResult.model_validate_json((run / "search.json").read_text())
        assert ApprovalPolicy(auto_approve=bound).allows(result) is allowed


def test_what_a_policy_approves_is_in_force_and_the_waiting_go_on(tmp_path: Path) -> None:
    from flows.approve import ApprovalPolicy, approve_recipe

    run, upload, store = found(tmp_path), waits(tmp_path), str(tmp_path / "store")
    approval = approve_recipe(str(run), "med", store, ApprovalPolicy(auto_approve=0.1))
    assert (approval.decision, approval.by) == ("approved", "policy")
    assert "interval from +0.20" in approval.note
    in_force = approved(store, "med")
    assert in_force is not None
    assert in_force.recipe == approval.recipe
    assert in_force.found_in == str(run)
    ledger = Ledger(store)
    assert list(ledger.waiting()) == []
    assert ledger.entry(upload).asked == 1
    assert outcome(tmp_path, upload) is None


@pytest.mark.parametrize("yes", [True, False])
def test_what_a_person_says_is_done_with_what_they_were_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, yes: bool
) -> None:
    """Without the days in between: Prefect's own function is replaced by somebody who answers at once."""
    from flows import approve as module

    run, upload, store = found(tmp_path), waits(tmp_path), str(tmp_path / "store")
    shown = (run / "recipe.yaml").read_bytes()
    asked: list[int] = []

    def answer(wait_for_input: Any, timeout: int) -> module.Decision:
        (run / "recipe.yaml").write_text("what a later search has found")
        asked.append(timeout)
        return wait_for_input(approve=yes, by="Ada", note="seen")

    monkeypatch.setattr(module, "suspend_flow_run", answer)
    policy = module.ApprovalPolicy(wait_hours=2, quarantine=str(tmp_path / "aside"))
    decided = module.approve_recipe(str(run), "med", store, policy)
    assert asked == [7200]
    assert (decided.decision, decided.by, decided.note) == ("approved" if yes else "rejected", "Ada", "seen")
    assert decided.found_in == str(run)
    in_force, end = approved(store, "med"), outcome(tmp_path, upload)
    assert list(Ledger(store).waiting()) == []
    if yes:
        assert in_force is not None
        assert Path(in_force.recipe).read_bytes() == shown
        assert end is None
    else:
        assert in_force is None
        assert end is not None
        assert end.output is not None
        assert Path(end.output).parent == tmp_path / "aside"


def test_the_waiting_for_a_rejected_recipe_are_set_aside(tmp_path: Path) -> None:
    from flows.approve import release

    run, upload, other = found(tmp_path), waits(tmp_path), waits(tmp_path, "law")
    data = Path(upload.uri).read_bytes()
    rejection = reject(str(tmp_path / "store"), "med", str(run), by="Ada")
    assert release(rejection, str(tmp_path / "store"), str(tmp_path / "aside")) == 1
    end = outcome(tmp_path, upload)
    assert end is not None
    assert end.status == "failed"
    assert "Ada rejected the recipe" in end.reason
    assert end.output is not None
    assert Path(end.output).read_bytes() == data
    assert outcome(tmp_path, other) is None
    assert [w.upload for w in Ledger(str(tmp_path / "store")).waiting()] == [other]


def test_the_command_knows_the_searchs_store_and_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = str(tmp_path / "store")
    run = found(tmp_path, store=store, data_set="med")
    said = autodp("approve", run, "--by", "Ada", "--note", "seen")
    assert said.code == 0
    assert "med is processed with" in said.out
    in_force = approved(store, "med")
    assert in_force is not None
    assert (in_force.by, in_force.note) == ("Ada", "seen")
    assert autodp("approve", run, "--data-set", "law", "--store", "elsewhere").code == 0
    assert approved("elsewhere", "law") is not None
    assert approved(store, "law") is None


def test_what_is_no_search_is_refused_with_its_reason(tmp_path: Path) -> None:
    said = autodp("approve", tmp_path)
    assert said.code != 0
    assert "search.json: no such file" in said.error
    (tmp_path / "search.json").write_text('{"name": "of another release"}')
    assert "is not of this release's searches" in autodp("approve", tmp_path).error


def test_an_upload_unlike_the_set_of_its_recipe_needs_another_search(
    stack: str,  # noqa: ARG001
    tmp_path: Path,
) -> None:
    from flows.on_upload import on_upload
    from flows.uploads import UploadConfig

    run = publish_recipe(tmp_path / "run", "copy", found_on=rows(60), teams={})
    approve(str(tmp_path / "store"), "med", str(run), by="Ada")
    places = {
        "prefix": str(tmp_path / "uploads"),
        "output": str(tmp_path / "out"),
        "store": str(tmp_path / "store"),
    }
    ends = {}
    unlike = [{"question": f"invoice {i} overdue?", "answer": f"Pay {i} euros by Friday."} for i in range(60)]
    for name, data in (("like", rows(60, 1)), ("unlike", unlike)):
        path = tmp_path / "uploads" / "med" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_lines(data))
        upload = find_upload(str(path))
        assert upload is not None
        on_upload(upload, UploadConfig(**places), return_state=True)
        ends[name] = outcome(tmp_path, upload)
    assert ends["like"].status == "processed"
    assert ends["unlike"].status == "failed"
    assert "the records differ from those its recipe was found on" in ends["unlike"].reason
