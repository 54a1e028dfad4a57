"""Near-duplicate search against all pairs compared one by one."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.text.greedy import resolve
from operators.text.minhash import sketch
from operators.text.near_duplicates import near_duplicates, near_duplicates_of
from operators.text.shingles import ShingleSets, Shingling

WORDS = [f"w{i}" for i in range(400)]
CHARACTERS = [chr(0x4E00 + i) for i in range(400)]


def shingles(text, n, joined):
    tokens = list(text) if joined else text.split()
    return {tuple(tokens[i : i + n]) for i in range(max(1, len(tokens) - n + 1))}


def corpus(vocabulary, joiner, seed, n=300):
    """Random texts, each followed by copies with more and more tokens replaced."""
    rng = Random(seed)
    texts = []
    for _ in range(n // 5):
        tokens = [rng.choice(vocabulary) for _ in range(rng.randint(20, 120))]
        for edits in range(5):
            copy = list(tokens)
            for _ in range(edits * len(copy) // 30):
                copy[rng.randrange(len(copy))] = rng.choice(vocabulary)
            texts.append(joiner.join(copy))
    rng.shuffle(texts)
    return texts


def true_jaccard(texts, n, joined):
    sets = [shingles(t, n, joined) for t in texts]
    return {
        (i, j): len(a & b) / len(a | b)
        for i, a in enumerate(sets)
        for j, b in enumerate(sets[i + 1 :], i + 1)
        if a & b
    }


def greedy(n, pairs):
    dropped = set()
    for i in range(n):
        if i not in dropped:
            dropped |= {j for a, j in pairs if a == i}
    return dropped


@pytest.mark.parametrize(("vocabulary", "joiner"), [(WORDS, " "), (CHARACTERS, "")])
def test_finds_what_all_pairs_would(vocabulary, joiner):
    texts = corpus(vocabulary, joiner, seed=1)
    how = Shingling(threshold=0.7, ngram=3)
    truth = {p for p, j in true_jaccard(texts, 3, not joiner).items() if j >= 0.7}
    owner = near_duplicates(texts, how)
    dropped = set(np.flatnonzero(owner >= 0).tolist())
    expected = greedy(len(texts), truth)
    assert len(expected) > 50
    assert len(dropped & expected) >= 0.98 * len(expected)
    assert all((owner[i], i) in truth for i in dropped), "each removal has a kept true near-duplicate"
    assert all(owner[owner[i]] == -1 for i in dropped)


def test_exact_similarity_equals_the_definition():
    texts = corpus(WORDS, " ", seed=2, n=60)
    truth = true_jaccard(texts, 3, joined=False)
    pairs = np.array(sorted(truth))
    sets = ShingleSets(texts, np.arange(len(texts)), Shingling(ngram=3))
    assert sets.jaccard(pairs) == pytest.approx([truth[tuple(p)] for p in pairs.tolist()])


def test_estimates_are_unbiased_and_as_exact_as_minhash_promises():
    texts = corpus(WORDS, " ", seed=3)
    truth = {p: j for p, j in true_jaccard(texts, 3, joined=False).items() if 0.3 < j < 0.95}
    pairs = np.array(sorted(truth))
    error = sketch(texts, Shingling(ngram=3)).estimates(*pairs.T) - [truth[tuple(p)] for p in pairs.tolist()]
    assert abs(error.mean()) < 0.01
    assert np.sqrt((error**2).mean()) < 1.2 * np.sqrt(0.25 / 128)


def test_a_band_catches_the_threshold_itself():
    for threshold in (0.5, 0.7, 0.9):
        how = Shingling(threshold=threshold)
        r = how.rows_per_band
        assert 1 - (1 - threshold**r) ** (128 // r) >= 0.98


def test_texts_without_tokens_are_nobodys_copy():
    assert near_duplicates(["", "!!", "", "a b c", "a b c"], Shingling()).tolist() == [-1, -1, -1, -1, 3]
    assert near_duplicates([], Shingling()).tolist() == []


def test_a_template_for_another_topic_is_no_copy():
    rng = Random(0)
    names = ["".join(rng.choices("bcdfghklmnprst", k=7)) for _ in range(40)]
    topics = [f"What are the symptoms of {name}?" for name in names]
    body = (
        "The following list of signs and symptoms has been reported by one or more patients so far. See a doctor."
    )
    texts = [f"{t} {body}" for t in topics]
    how = Shingling(threshold=0.6, ngram=3)
    assert (near_duplicates(texts, how) >= 0).sum() == 39
    assert (near_duplicates(texts, how, topics=topics) >= 0).sum() == 0
    again = near_duplicates([*texts, texts[7].lower()], how, topics=[*topics, topics[7].upper()])
    assert again[-1] == 7


NAMED = (
    ("an HBsAg (+)", "an HBsAg (-)"),
    ("a mother of Rh-", "a mother of Rh+"),
    ("C++", "C#"),
    ("尿糖（+）", "尿糖（++）"),
)


def test_other_signs_make_another_text_however_long_it_is():
    how = Shingling(threshold=0.7, ngram=3, signs=True)
    long = " ".join(WORDS[:200])
    for first, second in (
        ("a T-score of -2.5", "a T-score of +2.5"),
        ("2+2*3", "2*2+3"),
        ("p < 0.05", "p>0.05"),
        *NAMED,
    ):
        for text in ("What does {} mean?", f"What does {{}} mean? {long}"):
            pair = [text.format(first), text.format(second)]
            assert near_duplicates(pair, how).tolist() == [-1, -1]
            assert near_duplicates(pair, how, topics=pair).tolist() == [-1, -1]
            assert near_duplicates([*pair, pair[1].upper()], how).tolist() == [-1, -1, 1]
    copy = f"What does 10–20 mg mean? {long}"
    assert near_duplicates([copy, copy.replace("–", " - ").replace("mean", "say")], how).tolist() == [-1, 0]


def test_one_set_in_another():
    references = corpus(WORDS, " ", seed=4, n=50)
    others = corpus(WORDS, " ", seed=5, n=50)
    cut = [" ".join(r.split()[2:]) for r in references[:10]]
    found = near_duplicates_of([*others, *cut, ""], references, Shingling(ngram=3))
    assert found.tolist() == [False] * len(others) + [True] * 10 + [False]
    assert not near_duplicates_of(["yes please"], ["Yes, please!"], Shingling(), least_tokens=3).any()
    assert near_duplicates_of(["yes please"], ["Yes, please!"], Shingling()).all()
    assert not near_duplicates_of(["yes please"], [], Shingling()).any()


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 12), st.data())
def test_resolve_is_the_greedy_choice(n, data):
    every = [(i, j) for i in range(n) for j in range(i + 1, n)]
    edges = sorted(data.draw(st.sets(st.sampled_from(every)))) if every else []
    true = {e for e in edges if data.draw(st.booleans())}
    owner = resolve(
        n,
        np.array(edges, np.int64).reshape(-1, 2),
        lambda pairs: np.array([tuple(p) in true for p in pairs.tolist()], np.bool_),
    )
    expected = greedy(n, true)
    assert set(np.flatnonzero(owner >= 0).tolist()) == expected
    assert all((owner[i], i) in true and owner[owner[i]] == -1 for i in expected)
