"""Hashed tokens of many texts at once, cut by script.

A token is a run of letters, marks and digits, lower-cased; in scripts written without spaces (Chinese,
Japanese kana, Thai, Lao, Khmer, Burmese, Tibetan) every character is a token of its own. So an n-gram of
tokens is a word n-gram in English and a character n-gram in Chinese, also within one mixed text.

Where signs count, "-2.5" is not "+2.5": the symbol beside a digit is a token as well, see `token_hashes`.

Everything is array arithmetic over the code points: no Python object per token. Hashes depend on the text
alone, so they are equal in every process and on every machine.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

UInts = NDArray[np.uint64]
Ints = NDArray[np.int64]

CHUNK_CHARS = 1 << 17
"""Characters hashed in one go: the working arrays stay near the processor."""

_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x0FFF),  # Tibetan
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # ideographic iteration mark, closing mark, zero
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),  # Katakana extensions
    (0x3400, 0x4DBF),  # Chinese characters: extension A
    (0x4E00, 0x9FFF),  # Chinese characters
    (0xF900, 0xFAFF),  # Chinese characters: compatibility
    (0xFF66, 0xFF9F),  # half-width Katakana
    (0x20000, 0x323AF),  # Chinese characters: extensions B to H
)
UNSPACED = "".join(f"{chr(low)}-{chr(high)}" for low, high in _UNSPACED)
"""The scripts written without spaces, as ranges for a character class of a regular expression."""
_LIMIT = 0x323B0 + 1  # code points beyond are no letters; they share the last table entry
_SEPARATOR, _WORD, _ALONE = 0, 1, 2
_DIGIT, _SYMBOL, _BETWEEN, _LEADING, _SPACE, _OPENS, _CLOSES = 1, 2, 3, 4, 5, 6, 7
"""What a character is to a number: a digit of it; a symbol that tells of it on either side; one that does so
between two numbers only, and is emphasis elsewhere; one that does so before a number (minus, decimal point) and is
punctuation elsewhere; what may lie between."""
_ONE_SIGN = str.maketrans("−–×÷＋－＊／＜＝＞％≦≧⩽⩾", "--*/+-*/<=>%≤≥≤≥")
"""Signs that are spelled in several ways."""
_BASE = 0x9E3779B97F4A7C15  # odd, so it has an inverse modulo 2^64
_INVERSE = pow(_BASE, -1, 1 << 64)


class Segments(NamedTuple):
    """Hashes of many texts, flat: text i owns `hashes[offsets[i]:offsets[i + 1]]`."""

    hashes: UInts
    offsets: Ints

    @property
    def sizes(self) -> Ints:
        """Number of hashes of each text, shape (n,)."""
        return np.diff(self.offsets)


def chunks(texts: Sequence[str], chars: int = CHUNK_CHARS) -> Iterator[tuple[int, list[str]]]:
    """Splits texts into runs of about `chars` characters: (index of the first text, the texts)."""
    start, run, size = 0, [], 0
    for i, text in enumerate(texts):
        run.append(text)
        size += len(text)
        if size >= chars:
            yield start, run
            start, run, size = i + 1, [], 0
    if run:
        yield start, run


def token_hashes(texts: Sequence[str], *, signs: bool = False) -> Segments:
    """One 64-bit hash for every token of every text, in order.

    With `signs`, a sign, comparator, operator, currency or per cent beside a digit is a token of its own, and one
    before a digit takes in the number that follows: "2+2*3" is 2, +2, 2, *3, 3, with spaces or without.
    """
    hashes, starts, _ = _cut("\n".join(texts), signs=signs)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    text_starts = np.concatenate(([0], np.cumsum(lengths + 1)))  # each text is followed by one newline
    return Segments(hashes, np.searchsorted(starts, text_starts))


def token_spans(text: str) -> tuple[UInts, Ints, Ints]:
    """Hash, first character and end of each token of one text: three arrays of shape (tokens,)."""
    return _cut(text)


def code_points(text: str) -> NDArray[np.uint8] | NDArray[np.uint32]:
    """The characters of a text as numbers, shape (len(text),)."""
    if text.isascii():
        return np.frombuffer(text.encode(), np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _cut(text: str, *, signs: bool = False) -> tuple[UInts, Ints, Ints]:
    kinds, lowered, parts = _tables()
    kind = np.zeros(len(text) + 2, np.uint8)
    values: NDArray[np.uint8] | NDArray[np.uint32]
    if text.isascii():  # several times faster than looking every character up
        values = np.frombuffer(text.lower().encode(), np.uint8)
        kind[1:-1] = np.frombuffer(text.encode().translate(kinds[:256].tobytes()), np.uint8)
    else:
        codes = np.minimum(code_points(text), np.uint32(_LIMIT - 1))
        values = lowered[codes]
        kind[1:-1] = kinds[codes]
    if signs:
        if text.isascii():
            part = np.frombuffer(text.encode().translate(parts[:256].tobytes()), np.uint8)
        else:
            part = parts[codes]
        found, before_digit = _signs(part, kind[1:-1] != _SEPARATOR)
        kind[1 + found] = _ALONE
    here, word = kind[1:-1] != _SEPARATOR, kind == _WORD
    starts = np.flatnonzero(here & ~(word[1:-1] & word[:-2]))
    ends = np.flatnonzero(here & ~(word[1:-1] & word[2:])) + 1
    hashes = segment_hashes(values, starts, ends)
    if signs:
        at = np.searchsorted(starts, before_digit)
        hashes[at] = mix(hashes[at] * np.uint64(_BASE) + hashes[at + 1])
    return hashes, starts, ends


def _signs(part: NDArray[np.uint8], word: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Places of the symbols that tell of a number, and of those that stand before one, a space between or not."""
    at = np.flatnonzero((part == _SYMBOL) | (part == _BETWEEN) | (part == _LEADING))
    edged, words = np.pad(part, 2), np.pad(word, 2)
    kind, left, right = part[at], edged[at + 1], edged[at + 3]
    digit_left = (left == _DIGIT) | ((left == _SPACE) & (edged[at] == _DIGIT))
    digit_right = (right == _DIGIT) | ((right == _SPACE) & (edged[at + 4] == _DIGIT))
    close = (left == _DIGIT) | (right == _DIGIT)
    joins = (words[at + 1] | (left == _CLOSES)) & (words[at + 3] | (right == _OPENS))
    # "- 5" and "* 5" open the lines of a list, "**5**" is bold, and the hyphen of "COVID-19" is no minus.
    leads = (right == _DIGIT) & ~words[at + 1] & (left != _LEADING)
    spaced = digit_left & digit_right & ((left == _SPACE) == (right == _SPACE))
    counts = np.where(kind == _SYMBOL, digit_left | digit_right, spaced)
    counts |= (kind == _BETWEEN) & close & joins
    counts |= (kind == _LEADING) & leads
    found = np.zeros(len(edged), np.bool_)
    found[at[counts] + 2] = True
    counts |= (kind == _SYMBOL) & (found[at + 1] | found[at + 3])  # the "<" of "<=3"
    return at[counts], at[counts & digit_right]


def count_tokens(texts: Sequence[str]) -> Ints:
    """Number of tokens of each text, shape (n,)."""
    counts = np.zeros(len(texts), np.int64)
    for start, run in chunks(texts):
        counts[start : start + len(run)] = token_hashes(run).sizes
    return counts


def ngram_hashes(tokens: Segments, n: int) -> Segments:
    """One hash for every n-gram of consecutive tokens. A text with fewer than n tokens, but at least one, has
    one n-gram: all its tokens. Repeated n-grams are repeated here."""
    position = np.arange(len(tokens.hashes))
    first = np.repeat(tokens.offsets[:-1], tokens.sizes)
    end = np.repeat(tokens.offsets[1:], tokens.sizes)
    starts = position[(position + n <= end) | (position == first)]
    hashes = segment_hashes(tokens.hashes, starts, np.minimum(starts + n, end[starts]))
    sizes = np.where(tokens.sizes > 0, np.maximum(tokens.sizes - n + 1, 1), 0)
    return Segments(hashes, np.concatenate(([0], np.cumsum(sizes))))


def segment_hashes(values: NDArray[Any], starts: Ints, ends: Ints) -> UInts:
    """Polynomial hash modulo 2^64 of each slice `values[start:end]` (Karp and Rabin 1987), from one prefix
    sum, then mixed so that all bits are usable. Shape (len(starts),)."""
    if not len(starts):
        return np.zeros(0, np.uint64)
    powers, inverses = _powers(1 << len(values).bit_length())
    prefix = np.zeros(len(values) + 1, np.uint64)
    np.cumsum(values * powers[: len(values)], out=prefix[1:])
    return mix((prefix[ends] - prefix[starts]) * inverses[starts])


def mix(x: UInts) -> UInts:
    """Bijection of 64-bit integers in which every input bit moves every output bit (the finalizer of
    MurmurHash3, public domain)."""
    x = (x ^ (x >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    x = (x ^ (x >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return x ^ (x >> np.uint64(33))


@functools.cache
def _tables() -> tuple[NDArray[np.uint8], NDArray[np.uint32], NDArray[np.uint8]]:
    """Kind and lower-case form of every code point, and what it is to a number."""
    kinds = np.zeros(_LIMIT, np.uint8)
    parts = np.zeros(_LIMIT, np.uint8)
    lowered = np.arange(_LIMIT, dtype=np.uint32)
    for code in range(_LIMIT - 1):
        character = chr(code)
        category = unicodedata.category(character)
        if category in ("Sm", "Sc"):
            parts[code] = _SYMBOL
        elif category == "Nd":
            parts[code] = _DIGIT
        if category[0] in "LMN":
            kinds[code] = _WORD
            lower = character.lower()
            if len(lower) == 1:
                lowered[code] = ord(lower)
    for low, high in _UNSPACED:
        kinds[low : high + 1][kinds[low : high + 1] == _WORD] = _ALONE
    what = {
        _SYMBOL: "%％‰",
        _BETWEEN: "*/^＊／÷",
        _LEADING: "-−–－.",
        _SPACE: " ",
        _OPENS: "(",
        _CLOSES: ")",
        0: "|~",
    }
    for part, characters in what.items():
        parts[[ord(c) for c in characters]] = part
    for code, one in _ONE_SIGN.items():
        lowered[code] = one
    return kinds, lowered, parts


@functools.lru_cache(maxsize=16)
def _powers(count: int) -> tuple[UInts, UInts]:
    """The first `count` powers of the base and of its inverse, modulo 2^64."""

    def powers(base: int) -> UInts:
        factors = np.full(count, base, np.uint64)
        factors[0] = 1
        return np.multiply.accumulate(factors)

    return powers(_BASE), powers(_INVERSE)
