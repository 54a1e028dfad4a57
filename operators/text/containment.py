"""How much of a few reference texts stands in each of many texts. Exact: no sketches, no sampling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.text.tokens import Ints, UInts, chunks, ngram_hashes, token_hashes

Floats = NDArray[np.float64]


class _Shingles(NamedTuple):
    """Distinct shingles of some texts: text `owner[k]` has `hashes[k]`; `sizes` (n,) counts them by text."""

    owner: Ints
    hashes: UInts
    sizes: Ints
    tokens: Ints


class References:
    """The shingle sets of reference texts (a few thousand, such as evaluation records), to compare many texts
    with. Shingles are n-grams of tokens that suit the script, see `tokens`."""

    def __init__(self, texts: Sequence[str], ngram: int, *, least_tokens: int = 1) -> None:
        """References of fewer than `least_tokens` tokens are left out: they are contained in anything."""
        from scipy.sparse import csr_matrix

        self.ngram = ngram
        every = _shingles(list(texts), ngram)
        used = np.flatnonzero(every.tokens >= max(least_tokens, 1))
        row = np.searchsorted(used, every.owner)
        mine = np.isin(every.owner, used)
        self._known, column = np.unique(every.hashes[mine], return_inverse=True)
        self._sizes = every.sizes[used]
        self._has = csr_matrix(
            (np.ones(len(column)), (column, row[mine])), shape=(len(self._known), len(used)), dtype=np.float64
        )
        # A phrase that many references share is a template: 1 / references that have it.
        rare = self._has.multiply(1.0 / np.maximum(np.diff(self._has.indptr), 1)[:, None]).tocsr()
        total = np.asarray(rare.sum(axis=0)).ravel()
        self._rare = rare.multiply(1.0 / np.maximum(total, 1e-12)[None, :]).tocsr()

    def jaccard(self, texts: Sequence[str]) -> Floats:
        """Jaccard similarity of each text with the reference most similar to it, shape (n,)."""
        result = np.zeros(len(texts))
        for start, shingles, found in self._found(texts):
            common = (found @ self._has).tocoo()
            union = shingles.sizes[common.row] + self._sizes[common.col] - common.data
            np.maximum.at(result, start + common.row, common.data / union)
        return result

    def containment(self, texts: Sequence[str]) -> Floats:
        """Share of a reference that stands in each text, the largest over the references, shape (n,), in [0, 1].

        Each shingle of a reference weighs one over the number of references that have it, so what all of them
        share (a template) counts little, and a text that differs only in what the template is filled with is
        not contained.
        """
        result = np.zeros(len(texts))
        for start, _, found in self._found(texts):
            share = (found @ self._rare).tocoo()
            np.maximum.at(result, start + share.row, np.minimum(share.data, 1.0))
        return result

    def _found(self, texts: Sequence[str]) -> Iterator[tuple[int, _Shingles, Any]]:
        """By run of texts: index of the first, their shingles, and which known ones they have (texts, known)."""
        from scipy.sparse import csr_matrix

        if not len(self._known):
            return
        for start, run in chunks(texts):
            shingles = _shingles(run, self.ngram)
            place = np.minimum(np.searchsorted(self._known, shingles.hashes), len(self._known) - 1)
            hit = self._known[place] == shingles.hashes
            if hit.any():
                here = (shingles.owner[hit], place[hit])
                shape = (len(run), len(self._known))
                yield start, shingles, csr_matrix((np.ones(int(hit.sum())), here), shape=shape)


def _shingles(texts: list[str], ngram: int) -> _Shingles:
    tokens = token_hashes(texts)
    grams = ngram_hashes(tokens, ngram)
    owner = np.repeat(np.arange(len(texts)), grams.sizes)
    order = np.lexsort((grams.hashes, owner))
    owner, hashes = owner[order], grams.hashes[order]
    first = np.concatenate(([True], (owner[1:] != owner[:-1]) | (hashes[1:] != hashes[:-1])))[: len(owner)]
    owner, hashes = owner[first], hashes[first]
    return _Shingles(owner, hashes, np.bincount(owner, minlength=len(texts)), tokens.sizes)
