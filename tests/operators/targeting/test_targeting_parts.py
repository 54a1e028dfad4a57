"""Damage, features, thresholds and calibration, each by itself."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from operators.data.loading import load
from operators.data.records import Message, Record
from operators.example import build_example
from operators.models import STATIC_MINILM
from operators.record_vectors import embed_records, whole
from operators.targeting import describing
from operators.targeting.classifier import with_labels, with_prior_of_set, without_labels
from operators.targeting.corruptions import CORRUPTIONS, Sides
from operators.targeting.features import Near, SetStatistics
from operators.targeting.flagging import thresholds
from operators.targeting.folds import Examples, out_of_fold
from operators.targeting.grams import MAX_CHARACTERS
from operators.targeting.learners import boosted
from operators.targeting.matrix import Matrix, build_matrix

PROSE = st.text("abcdefgh ,.é医", min_size=1, max_size=80).filter(str.strip)
SIDES = st.builds(Sides, PROSE, PROSE, st.just(0), st.just(0))
NOBODY = Near([], [])
OTHER = Sides("What is fever?", "A temperature above normal.", 1, 1)


@pytest.mark.parametrize("kind", CORRUPTIONS)
@given(sides=SIDES, seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_damage_is_seeded_and_keeps_its_source(kind, sides, seed):
    once = CORRUPTIONS[kind](sides, OTHER, np.random.default_rng(seed))
    assert once == CORRUPTIONS[kind](sides, OTHER, np.random.default_rng(seed))
    assert once.asker == 0
    assert once.answerer == (1 if kind == "mismatched" else 0)
    assert once.copy == (kind == "copied")


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_damage_changes_most_records(kind):
    sides = Sides("What is a narrow palate?", "A palate narrower than usual. It is seen from below.", 0, 0)
    changed = [CORRUPTIONS[kind](sides, OTHER, np.random.default_rng(s)) != sides for s in range(30)]
    assert np.mean(changed) > 0.9


def described(answer: str, question: str = "What is a narrow palate?") -> dict[str, float]:
    base = [Sides(f"What is term {i}?", f"A finding number {i} of the palate.", i, i) for i in range(30)]
    return features_of(SetStatistics(dict(enumerate(base))), Sides(question, answer, 0, 0))


def features_of(stats: SetStatistics, sides: Sides) -> dict[str, float]:
    return {name: float(value) for name, [value] in stats.features([sides], [NOBODY]).items()}


def test_features_see_the_damage_they_are_for():
    plain = described("A finding number 3 of the palate.")
    assert described("<p>A finding</p> &nbsp; [b]of[/b]")["answer_markup"] == 5
    assert described("Write to a@b.invalid or 555-0100 12-34")["answer_addresses"] >= 1
    assert described("the the the the finding")["answer_longest_run"] == 4
    assert described("A finding ☃☃ of")["answer_symbols"] > plain["answer_symbols"] == 0
    assert described("A finding ☃ of")["answer_rarest_character"] > plain["answer_rarest_character"]
    assert described("A finding of")["last_word_ends"] < plain["last_word_ends"]
    assert [described(t)["answer_end"] for t in ("", "a", "a.", "好。", "a?", "a)", "a,", "a☃")] == [
        0, 1, 2, 2, 3, 4, 5, 6,
    ]  # fmt: skip
    assert np.isnan(described("")["answer_rarity"])


def test_features_see_how_a_text_is_laid_out():
    found = described("Causes:\n\n- **Fever**, they say.\n- Rest. It helps!")
    counts = [np.expm1(found[f"answer_{k}"]) for k in ("lines", "paragraphs", "list_items", "sentences")]
    assert np.allclose(counts, [3, 1, 2, 4])
    marks = [found[f"answer_{k}"] * 49 for k in ("colons", "commas", "emphasis", "quotes")]
    assert np.allclose(marks, [1, 1, 4, 0], atol=0.01)


def test_an_original_is_no_better_known_than_a_stranger():
    rows = [Sides("q", "common words here", i, i) for i in range(20)] + [Sides("q", "zyx wvu", 20, 20)]
    stats = SetStatistics(dict(enumerate(rows)))
    original = features_of(stats, rows[20])
    stranger = features_of(stats, Sides("q", "zyx wvu", 0, 0))
    assert original["unknown_words"] == 1
    assert original["answer_rarity"] > stranger["answer_rarity"]


@pytest.mark.parametrize("part", ["word ", "0", "_", "a1", "医", ". ", "1. ", "(", "- ", "\n", '." '])
@pytest.mark.timeout(60)
def test_a_giant_record_is_cut(part):
    assert described(part * 2_000_000)["answer_length"] == np.log1p(MAX_CHARACTERS)


@pytest.mark.parametrize("word", ["नमस्ते", "สวัสดี", "தமிழ்", "cafe\u0301", "شَمْس", "发热，然后休息。再来"])
def test_no_script_counts_as_damage(word):
    found = described(f"{word} {word}")
    assert found["answer_mixed_words"] == 0
    assert found["answer_letters"] + found["answer_punctuation"] + found["answer_spaces"] == pytest.approx(1)


@given(probabilities=st.lists(st.floats(0, 1), min_size=1, max_size=60), precision=st.floats(0.05, 0.95))
@example([0.8737548761332474] * 3, 0.8737548761332474)
@settings(max_examples=100, deadline=None)
def test_threshold_keeps_the_precision_asked_for(probabilities, precision):
    p = np.array(probabilities)
    threshold, clean_below = thresholds(p, precision)
    assert clean_below <= threshold
    assert threshold >= 0.5
    flagged = p[p >= threshold]
    if len(flagged):
        assert flagged.mean() >= precision - 1e-9
    else:
        assert not len(p[p >= 0.5]) or p.max() < precision
    assert (p[p < clean_below] < 1 - precision).all()


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_prior_of_the_set_is_found(share):
    rng = np.random.default_rng(0)
    low = rng.random(4000) < share
    x = rng.normal(np.where(low, 2.0, 0.0))
    balanced = 1 / (1 + np.exp(2 - 2 * x))  # the true posterior where both classes are equally frequent
    found = with_prior_of_set(balanced, 0.5)
    assert found.mean() == pytest.approx(share, abs=0.03)
    assert found[found > 0.8].mean() == pytest.approx(low[found > 0.8].mean(), abs=0.08)


def test_no_record_is_scored_by_a_model_that_saw_its_copy():
    rng = np.random.default_rng(0)
    records = rng.normal(size=(300, 5))
    target = (rng.random(300) < 0.5).astype(float)
    rows, group = np.vstack([records] * 4), np.tile(np.arange(300), 4)
    examples = Examples(rows, np.tile(target, 4), np.ones(1200), group)
    scores = out_of_fold(boosted(), examples, records, np.arange(300), 0)
    # Noise: copies of a record in training would reveal its label.
    assert abs(np.corrcoef(scores, target)[0, 1]) < 0.2


def test_unseen_records_are_scored_by_all_folds():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 3))
    target = (rows[:200, 0] > 0).astype(float)
    examples = Examples(rows[:200], target, np.ones(200), np.arange(200))
    scores = out_of_fold(boosted(), examples, rows, np.arange(400), 0)
    assert np.mean((scores[200:] > 0.5) == (rows[200:, 0] > 0)) > 0.9


def test_copies_of_a_record_tell_nothing_about_it():
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(200)]
    sides = [(" ".join(rng.choice(words, 8)), " ".join(rng.choice(words, 15))) for _ in range(120)]
    records = [
        Record(f"r{i}", (Message("user", q), Message("assistant", a))) for i, (q, a) in enumerate(2 * sides)
    ]
    made = build_matrix(
        records, np.zeros((240, 2, 4), np.float32), np.zeros((240, 4), np.float32), seed=0, kinds=()
    )
    assert (made.same[:120] == made.same[120:]).all()
    scored = []
    for seed in range(3):
        target = np.tile(np.random.default_rng(seed).random(120) < 0.5, 2)
        found = with_labels(made.records, target, np.ones(240, bool), np.full(240, 0.5), made.same, seed)
        # None: what was learned is no better than chance, and says so.
        scored.append(0.5 if found is None else roc_auc_score(target, found))
    assert np.mean(scored) < 0.6


def test_labels_of_copies_of_one_record_decide_nothing():
    rows, target = np.zeros((30, 3)), np.arange(30) % 2 == 0
    assert with_labels(rows, target, np.arange(30) < 10, np.full(30, 0.5), np.zeros(30, int), 0) is None


def test_damage_nobody_can_see_is_none():
    answers = ["yes", "no", *[" ".join(map(str, range(i, 6000 + i))) for i in range(30)]]
    records = [Record(str(i), (Message("user", f"Q{i}?"), Message("assistant", a))) for i, a in enumerate(answers)]
    vectors = np.random.default_rng(0).normal(size=(32, 2, 4)).astype(np.float32)
    made = build_matrix(records, vectors, whole(vectors), seed=0, kinds=("cropped", "looped"))
    text = [i for i, name in enumerate(made.names) if name.startswith("answer_") and "score" not in name]
    seen = made.copies[:, text] != made.records[made.sources][:, text]
    assert seen.any(axis=1).all()


def test_equal_records_are_scored_alike_though_one_was_not_trained_on():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 3))
    of = np.vstack([rows, rows])  # the second half are further records, of which no label is known
    target = (rng.random(200) < 0.5).astype(float)
    examples = Examples(rows, target, np.ones(200), np.arange(200))
    scores = out_of_fold(boosted(), examples, of, np.tile(np.arange(200), 2), 0)
    assert (scores[:200] == scores[200:]).all()


def test_records_outside_the_known_part_are_scored_as_well_as_those_inside(monkeypatch, tmp_path):
    monkeypatch.setattr("operators.targeting.matrix.KNOWN", 400)
    example = build_example(tmp_path, 800)
    records = load(str(example.train)).records
    low = np.array([json.loads(line)["kind"] != "clean" for line in example.labels.read_text().splitlines()])
    vectors = embed_records(records, len(records), STATIC_MINILM)
    matrix = build_matrix(records, vectors, whole(vectors), seed=0)
    assert len(matrix.known) == 400
    found = without_labels(matrix, 0)
    others = np.setdiff1d(np.arange(len(records)), matrix.known)
    assert roc_auc_score(low[matrix.known], found[matrix.known]) > 0.9
    assert roc_auc_score(low[others], found[others]) > 0.9


@pytest.mark.parametrize("damaged_alike", [True, False], ids=["as the copies", "in their own way"])
def test_standing_out_counts_where_the_copies_confirm_it(damaged_alike):
    n, rng = 400, np.random.default_rng(0)
    stands_out = np.arange(n) < n * 0.4
    length = rng.normal(5, 0.3, n)
    markup = np.where(stands_out, rng.uniform(20, 40, n), 0.0)
    records = np.column_stack([length - 3 * (stands_out & damaged_alike), markup])
    copies = np.column_stack([length - 3, np.zeros(n)])
    each = np.arange(n)
    made = Matrix(["answer_length", "answer_markup"], records, copies, each, ["short"] * n, each, each)
    found = without_labels(made, 0)
    low = (found[stands_out] > 0.5).mean()
    assert low > 0.9 if damaged_alike else low < 0.1
    assert (found[~stands_out] > 0.5).mean() < 0.1


def test_processes_describe_a_set_as_one_core_does(monkeypatch):
    monkeypatch.setattr(describing, "WORTH_PROCESSES", 100)
    records = [
        Record(str(i), (Message("user", f"What is term {i % 90}?"), Message("assistant", f"A finding {i} of it.")))
        for i in range(1200)
    ]
    vectors = np.random.default_rng(0).normal(size=(len(records), 2, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    seen: list[tuple[str, int, int]] = []
    alone, together = (
        build_matrix(
            records, vectors, whole(vectors), seed=0, workers=workers, progress=lambda *step: seen.append(step)
        )
        for workers in (1, 2)
    )
    assert np.array_equal(alone.records, together.records, equal_nan=True)
    assert np.array_equal(alone.copies, together.copies, equal_nan=True)
    assert alone.names == together.names
    steps = seen[: len(seen) // 2]
    assert steps == seen[len(seen) // 2 :]
    assert steps[:3] == [("describing records", done, 1200) for done in (512, 1024, 1200)]
