"""Near-duplicates within a set of texts, and of one set in another.

MinHash LSH only proposes pairs; what counts is the exact Jaccard similarity of the shingle sets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from operators.text.greedy import resolve
from operators.text.minhash import candidates, candidates_across, sketch
from operators.text.shingles import Chosen, Joined, ShingleSets, Shingling
from operators.text.signs import Spelled
from operators.text.tokens import Ints, UInts, chunks, segment_hashes, token_hashes

_TOPIC_SAMPLE = 20_000


def near_duplicates(
    texts: Sequence[str], how: Shingling, *, topics: Sequence[str] | None = None, topic_similarity: float = 0.5
) -> Ints:
    """For each text the index of the earlier text it nearly repeats, or -1 where it is kept, shape (n,).

    Greedy in the given order: a text is dropped only where a *kept* earlier one is at least `threshold`
    similar, so similarity does not chain. Texts without tokens are kept.

    With `topics`, one a text (the question of an answer), two alike texts count as duplicates only if their
    topics agree as well: Jaccard similarity of the topics' words, rare words weighing more, of at least
    `topic_similarity`. That keeps apart what is written from one template ("What are the symptoms of ...?").

    Where signs count, two texts that differ in nothing but the signs of their numbers, or such as in "HBsAg (+)"
    and "C++", are no duplicates, however long they are: a T-score of -2.5 is a disease, and one of +2.5 is not.
    """
    read = Spelled(texts) if how.signs else texts
    sketches = sketch(read, how)
    owner = _equal_owners(sketches.whole)
    owner[sketches.tokens == 0] = -1
    unique = np.flatnonzero((owner < 0) & (sketches.tokens > 0))
    edges = candidates(sketches.take(unique), how)
    if topics is not None and len(edges):
        edges = edges[_topic_similarity(topics, unique[edges], how) >= topic_similarity]
    if how.signs and len(edges):
        edges = edges[_differ_in_words(texts, unique[edges])]
    sets = ShingleSets(read, unique[np.unique(edges)], how)
    found = resolve(len(unique), edges, lambda pairs: sets.jaccard(unique[pairs]) >= how.threshold)
    dropped = found >= 0
    owner[unique[dropped]] = unique[found[dropped]]
    # An equal copy of a text that was dropped belongs to whatever that one was dropped for.
    copies = np.flatnonzero(owner >= 0)
    behind = owner[owner[copies]]
    owner[copies[behind >= 0]] = behind[behind >= 0]
    return owner


def near_duplicates_of(
    texts: Sequence[str], references: Sequence[str], how: Shingling, *, least_tokens: int = 1
) -> NDArray[np.bool_]:
    """Whether each text nearly repeats any of the references, shape (n,). Texts and references of fewer than
    `least_tokens` tokens are left out: "Yes, please." is nobody's copy."""
    m = len(references)
    every = Joined(references, texts)
    sketches = sketch(every, how)
    fit = sketches.tokens >= max(least_tokens, 1)
    index = np.flatnonzero(fit)
    split = int(fit[:m].sum())
    hit = np.zeros(len(every), np.bool_)
    hit[m:] = fit[m:] & np.isin(sketches.whole[m:], sketches.whole[:m][fit[:m]])
    for local in candidates_across(sketches.take(index), split, how):
        pairs = index[local]
        pairs = pairs[~hit[pairs[:, 1]]]
        close = ShingleSets(every, np.unique(pairs), how).jaccard(pairs) >= how.threshold
        hit[pairs[close, 1]] = True
    return hit[m:]


def _differ_in_words(texts: Sequence[str], pairs: Ints) -> NDArray[np.bool_]:
    """Whether the texts of each pair, which are not equal, differ in more than the signs, shape (m,)."""
    used = np.unique(pairs)
    plain = np.empty(len(used), np.uint64)
    for start, run in chunks(Chosen(texts, used)):
        tokens = token_hashes(run)
        whole = segment_hashes(tokens.hashes, tokens.offsets[:-1], tokens.offsets[1:])
        plain[start : start + len(run)] = whole
    first, second = plain[np.searchsorted(used, pairs)].T
    different: NDArray[np.bool_] = first != second
    return different


def _topic_similarity(topics: Sequence[str], pairs: Ints, how: Shingling) -> NDArray[np.float64]:
    # Which words are rare is told by the pairs' own topics and an even sample of all.
    step = max(1, len(topics) // _TOPIC_SAMPLE)
    used = np.union1d(np.arange(0, len(topics), step), pairs)
    return ShingleSets(topics, used, Shingling(ngram=1, signs=how.signs)).rare_jaccard(pairs)


def _equal_owners(whole: UInts) -> Ints:
    """Index of the first text with the same hash, or -1 for that first one."""
    _, first, inverse = np.unique(whole, return_index=True, return_inverse=True)
    owner = first[inverse].astype(np.int64)
    owner[owner == np.arange(len(whole))] = -1
    return owner
