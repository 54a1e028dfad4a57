"""Repetition within a text: the same words again at once (loops), or the same n-grams all over."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.text.sentences import split_sentences
from operators.text.tokens import (
    Ints,
    Segments,
    UInts,
    chunks,
    code_points,
    ngram_hashes,
    token_hashes,
    token_spans,
)

LONGEST_LOOP = 12
"""Tokens of the longest unit whose immediate repetition is looked for."""
_STRETCH, _SYLLABLES = 10, 6
# Lower case only: a gene's CAGCAGCAG is no stutter, and neither is one in small letters, see `_without_stutter`.
_STRETCHED = re.compile(rf"([^\W\d_A-Z])\1{{{_STRETCH - 1},}}")
_STUTTER = re.compile(rf"([^\W\d_A-Z]{{2,5}}?)\1{{{_SYLLABLES - 1},}}")
_BASES = re.compile(rf"(?<![^\W\d_])[acgtunACGTUN]{{{_STRETCH},}}+(?![^\W\d_])")
_MEANT = re.compile(r"[^\W\d_]{2}|[^\W\d_\x00-\x7f]|\b[aeioyI]\b")
_CELL_WORDS, _CELL_TOKENS = 4, 6
"""Words and tokens of the longest unit that may be a value, which may be the same again and again."""
_SHORT_WORDS, _FEW = 2, 8
"""Longer values, and words between commas, are a loop when they come this often: a week has seven days."""
_BORDER = re.compile(r"[|\t\n]")
_COMMA = re.compile(r"[,，、;；]")
_STOP = re.compile(r"[.!?](?=\s|\Z)|[。！？｡]")


def ngram_repetition(texts: Sequence[str], n: int) -> NDArray[np.float64]:
    """Share of each text's n-grams of tokens that occurred before in it, in [0, 1): 1 - distinct / all."""
    ratio = np.zeros(len(texts))
    for start, run in chunks(texts):
        ratio[start : start + len(run)] = _repeated_share(ngram_hashes(token_hashes(run), n))
    return ratio


def find_repetition(texts: Sequence[str], n: int, times: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """`ngram_repetition`, and whether a text holds a loop: a unit of up to LONGEST_LOOP tokens `times` times in
    a row, or letters stretched within a word."""
    ratio, loops = np.zeros(len(texts)), np.zeros(len(texts), np.bool_)
    for start, run in chunks(texts):
        tokens = token_hashes(run)
        owner = np.repeat(np.arange(start, start + len(run)), tokens.sizes)
        ratio[start : start + len(run)] = _repeated_share(ngram_hashes(tokens, n))
        for period in range(1, LONGEST_LOOP + 1):
            at = _loop_starts(tokens.hashes, period, times)
            loops[owner[at[owner[at] == owner[at + period * times - 1]]]] = True
        for i in _stuttering(run):
            loops[start + i] = True
    return ratio, loops


def collapse_loops(text: str, times: int, *, everything: bool = False) -> str:
    """The text with every loop reduced to its unit, said once. Loops of numbers and single letters stay:
    matrices and sequences are no stutter. So do those of values ("5 mg | 5 mg | 5 mg"): each one stands for
    another dose, day or row. With `everything` they go as well, to measure what else the text repeats."""
    text = _without_stutter(text)
    for period in range(1, LONGEST_LOOP + 1):
        hashes, starts, ends = token_spans(text)
        at = _loop_starts(hashes, period, times)
        if not len(at):
            continue
        parts, done = [], 0
        first = 0
        while first < len(at):
            begin = int(at[first])
            last = begin + period  # tokens [begin, last) are the unit; find where its repetition ends
            while last < len(hashes) and hashes[last] == hashes[last - period]:
                last += 1
            last -= (last - begin) % period
            unit_end, loop_end = int(ends[begin + period - 1]), int(ends[last - 1])
            unit, gap = text[int(starts[begin]) : unit_end], text[unit_end : int(starts[begin + period])]
            meant = _MEANT.search(unit) is not None and not _is_several(hashes[begin : begin + period])
            loop = everything or (meant and not _is_value(unit, gap, period, (last - begin) // period))
            if loop and unit_end > done:
                parts.append(text[done:unit_end])
                done = loop_end
            first = int(np.searchsorted(at, last))
        text = "".join([*parts, text[done:]])
    return text


def _is_several(unit: UInts) -> bool:
    """Whether the unit is a shorter one several times, which was looked at before."""
    return any(
        len(unit) % part == 0 and bool((unit[part:] == unit[:-part]).all())
        for part in range(1, len(unit) // 2 + 1)
    )


def _is_value(unit: str, gap: str, tokens: int, times: int) -> bool:
    """Whether a unit, with what divides it from the next, is an entry of a table or list, or a measured value."""
    whole = unit + gap
    sentence = _STOP.search(whole) is not None
    if "|" in whole or "\t" in whole or ("\n" in whole and not sentence):
        return all(len(cell.split()) <= _CELL_WORDS for cell in _BORDER.split(whole))
    words = len(unit.split())
    if tokens > _CELL_TOKENS or words > _CELL_WORDS:
        return False
    short = words <= _SHORT_WORDS
    if any(c.isdecimal() for c in unit):
        return (short and unit[0].isdecimal()) or (times < _FEW and (short or not sentence))
    return short and times < _FEW and _COMMA.search(whole) is not None


def _without_stutter(text: str) -> str:
    """The text with letters stretched and syllables repeated within a word reduced, but for sequences of bases."""
    parts, at = [], 0
    for match in _BASES.finditer(text):
        if len(set(match[0])) > 1:
            parts += [_calm(text[at : match.start()]), match[0]]
            at = match.end()
    return "".join([*parts, _calm(text[at:])])


def _calm(text: str) -> str:
    return _STUTTER.sub(r"\1", _STRETCHED.sub(r"\1\1\1", text))


def drop_repeated_sentences(text: str, least_tokens: int = 4) -> str:
    """The text without sentences that it has said before, letter case aside; short ones may come again."""
    sentences = split_sentences(text)
    tokens = token_hashes(sentences)
    seen: set[bytes] = set()
    at, kept = 0, []
    for i, sentence in enumerate(sentences):
        key = tokens.hashes[tokens.offsets[i] : tokens.offsets[i + 1]].tobytes()
        begin = text.index(sentence, at)
        gap, at = text[at:begin], begin + len(sentence)
        if tokens.sizes[i] >= least_tokens and key in seen:
            continue
        seen.add(key)
        kept.append(gap + sentence)
    return "".join(kept).strip()


def _stuttering(texts: list[str]) -> list[int]:
    """Indices of texts with letters stretched or syllables repeated within a word."""
    codes = code_points("\n".join(texts))
    at = [_loop_starts(codes, 1, _STRETCH), *(_loop_starts(codes, n, _SYLLABLES) for n in range(2, 6))]
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    ends = np.cumsum(lengths + 1)
    suspects = np.unique(np.searchsorted(ends, np.concatenate(at), "right")).tolist()
    return [i for i in suspects if _STRETCHED.search(texts[i]) or _STUTTER.search(texts[i])]


def _loop_starts(hashes: NDArray[Any], period: int, times: int) -> Ints:
    """First tokens of units of `period` tokens that stand `times` times in a row."""
    need = period * (times - 1)
    if len(hashes) < period + need:
        return np.zeros(0, np.int64)
    same = np.concatenate(([0], np.cumsum(hashes[period:] == hashes[:-period])))
    return np.flatnonzero(same[need:] - same[:-need] == need)


def _repeated_share(grams: Segments) -> NDArray[np.float64]:
    owner = np.repeat(np.arange(len(grams.offsets) - 1, dtype=np.uint64), grams.sizes)
    keys = np.sort((owner << np.uint64(40)) | (grams.hashes >> np.uint64(24)))
    again = keys[1:] == keys[:-1]
    repeated = np.bincount((keys[1:][again] >> np.uint64(40)).astype(np.int64), minlength=len(grams.sizes))
    return np.asarray(repeated / np.maximum(grams.sizes, 1))
