"""The example set: reproducible, labelled, disjoint from its evaluation half."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest

from operators.digest import sha256_bytes
from operators.errors import ConfigError
from operators.example import build_example
from operators.example.corruptions import CORRUPTIONS


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    return build_example(tmp_path_factory.mktemp("example"), rows=300, seed=3)


def test_half_is_corrupted_and_labelled(example):
    train, labels = rows(example.train), rows(example.labels)
    assert [r["id"] for r in train] == [r["id"] for r in labels]
    assert len({r["id"] for r in train}) == len(train) == 300
    counts = Counter(r["kind"] for r in labels)
    assert counts["clean"] == 150
    assert set(counts) == {"clean", *CORRUPTIONS}
    assert json.loads(example.manifest.read_text())["kinds"] == dict(sorted(counts.items()))


def test_evaluation_is_clean_and_of_other_terms(example):
    train, evaluation, labels = rows(example.train), rows(example.evaluation), rows(example.labels)
    assert len(evaluation) >= 48 + 100 + 150
    assert not {r["answer"] for r in train} & {r["answer"] for r in evaluation}
    assert all(8 <= len(r["answer"].split()) <= 60 and r["answer"].endswith(".") for r in evaluation)
    once = Counter(r["term"] for r in labels if r["kind"] != "near_duplicate")
    assert max(once.values()) == 1


def test_clean_records_resemble_no_other(example):
    train, labels = rows(example.train), rows(example.labels)
    clean = [set(r["answer"].lower().split()) for r, k in zip(train, labels, strict=True) if k["kind"] == "clean"]
    overlaps = [len(a & b) / len(a | b) for i, a in enumerate(clean) for b in clean[:i]]
    assert max(overlaps) < 0.7


def test_near_duplicates_follow_their_original(example):
    place = {}
    for i, row in enumerate(rows(example.labels)):
        if row["kind"] == "near_duplicate":
            assert place[row["term"]] < i
        place[row["term"]] = i


def test_no_label_in_what_the_search_reads(example):
    assert all(set(r) == {"id", "question", "answer"} for r in rows(example.train))


def test_same_arguments_same_bytes_in_another_process(example, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "operators.example", str(tmp_path), "--rows", "300", "--seed", "3"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "12345"},
    )
    assert "300 rows" in done.stdout
    for file in example:
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()
    digests = json.loads(example.manifest.read_text())["sha256"]
    assert digests["train.jsonl"] == sha256_bytes(example.train.read_bytes())


def test_another_seed_another_set(example, tmp_path):
    other = build_example(tmp_path, rows=300, seed=4)
    assert other.train.read_bytes() != example.train.read_bytes()


def test_a_quarter_is_corrupted_where_asked(tmp_path):
    counts = Counter(r["kind"] for r in rows(build_example(tmp_path, 200, corrupted=0.25).labels))
    assert counts["clean"] == 150
    assert set(counts) == {"clean", *CORRUPTIONS}


@pytest.mark.parametrize("share", [0.0, 0.9, float("nan")])
def test_impossible_shares_are_refused(tmp_path, share):
    with pytest.raises(ConfigError, match=r"up to 0\.8"):
        build_example(tmp_path, 200, corrupted=share)


@pytest.mark.parametrize(("count", "match"), [(5, "at least 18 rows"), (100_000, "distinct terms")])
def test_impossible_sizes_are_refused(tmp_path, count, match):
    with pytest.raises(ConfigError, match=match):
        build_example(tmp_path, rows=count)
