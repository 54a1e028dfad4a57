"""Shingle sets of texts, and their exact Jaccard similarity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.text.tokens import Ints, chunks, ngram_hashes, token_hashes

_BATCH_PAIRS = 1 << 13
_RECALL = 0.98


@dataclass(frozen=True)
class Shingling:
    """What "near-duplicate" means: `ngram` tokens a shingle (see `tokens`), exact Jaccard >= `threshold`. With
    `signs`, the symbols beside a number are tokens too."""

    threshold: float = 0.7
    ngram: int = 5
    permutations: int = 128
    signs: bool = False

    @property
    def rows_per_band(self) -> int:
        """The most rows a band may have so that a pair exactly at the threshold meets in some band with
        probability >= 0.98: 1 - (1 - t^r)^(permutations // r)."""
        rows = range(self.permutations, 0, -1)
        return next((r for r in rows if self._meets(r) >= _RECALL), 1)

    def _meets(self, r: int) -> float:
        return float(1 - (1 - self.threshold**r) ** (self.permutations // r))

    @property
    def least_estimate(self) -> float:
        """Estimates below are not verified: three standard deviations under the threshold."""
        t = self.threshold
        return float(t - 3 * np.sqrt(t * (1 - t) / self.permutations))


class ShingleSets:
    """The shingle sets of some texts, for exact comparison; 4 bytes a shingle.

    Shingles are told apart by 31 bits of their hash: of two sets of 1,000 shingles one comparison in 1,000 is
    off by a single shingle.
    """

    def __init__(self, texts: Sequence[str], used: Ints, how: Shingling) -> None:
        from scipy.sparse import csr_matrix

        self._used = used
        columns, sizes = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
        for _, run in chunks(Chosen(texts, used)):
            shingles = ngram_hashes(token_hashes(run, signs=how.signs), how.ngram)
            owner = np.repeat(np.arange(len(run), dtype=np.uint64), shingles.sizes)
            keys = np.sort((owner << np.uint64(31)) | (shingles.hashes >> np.uint64(33)))
            keys = keys[np.concatenate(([True], keys[1:] != keys[:-1]))[: len(keys)]]
            columns.append((keys & np.uint64(0x7FFFFFFF)).astype(np.int32))
            sizes.append(np.bincount((keys >> np.uint64(31)).astype(np.int64), minlength=len(run)))
        column = np.concatenate(columns)
        self._sizes = np.concatenate(sizes)
        bounds = np.concatenate(([0], np.cumsum(self._sizes)))
        shape = (len(used), (1 << 31) - 1)
        self._sets = csr_matrix((np.ones(len(column), np.int8), column, bounds), shape=shape)

    def jaccard(self, pairs: Ints) -> NDArray[np.float64]:
        """Exact Jaccard similarity of the texts `pairs[i, 0]` and `pairs[i, 1]`, shape (m,); 1 for two empty
        sets."""
        return self._similarity(pairs, self._sets, self._sizes)

    def rare_jaccard(self, pairs: Ints) -> NDArray[np.float64]:
        """The same with each shingle weighted by its inverse document frequency among the sets held here,
        log(1 + sets / sets that have it): what all texts share counts little, what few have counts much."""
        _, place, found = np.unique(self._sets.indices, return_inverse=True, return_counts=True)
        weighted = self._sets.astype(np.float64)
        weighted.data = np.log1p(len(self._used) / found[place])
        return self._similarity(pairs, weighted, np.asarray(weighted.sum(axis=1)).ravel())

    def _similarity(self, pairs: Ints, weighted: Any, sizes: NDArray[Any]) -> NDArray[np.float64]:
        place = np.searchsorted(self._used, pairs)
        result = np.ones(len(pairs))
        for i in range(0, len(pairs), _BATCH_PAIRS):
            a, b = place[i : i + _BATCH_PAIRS].T
            product = weighted[a].multiply(self._sets[b])
            whole = weighted.dtype.kind == "i"
            common = np.diff(product.indptr) if whole else np.asarray(product.sum(axis=1)).ravel()
            union = sizes[a] + sizes[b] - common
            np.divide(common, union, out=result[i : i + _BATCH_PAIRS], where=union > 0)
        return result


class Joined(Sequence[str]):
    """Two sequences as one, without copying."""

    def __init__(self, first: Sequence[str], second: Sequence[str]) -> None:
        self._first, self._second = first, second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def __getitem__(self, i: Any) -> Any:
        m = len(self._first)
        return self._first[i] if i < m else self._second[i - m]


class Chosen(Sequence[str]):
    """Some of the texts, without copying."""

    def __init__(self, texts: Sequence[str], index: Ints) -> None:
        self._texts, self._index = texts, index

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, i: Any) -> Any:
        return self._texts[self._index[i]]
