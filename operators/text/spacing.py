"""Spaces and line ends."""

from __future__ import annotations

import re

_ODD_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\v\f\x1c-\x1f]")
_LINE_ENDS = re.compile("\r\n?|[\u0085\u2028\u2029]")
_INNER = re.compile(r"(?<=\S)[ \t]{2,}(?=\S)|(?<=\S)\t(?=\S)")
_TRAILING = re.compile(r"[ \t]+(?=\n)")
_BLANK_LINES = re.compile(r"\n{3,}")
_ODD_ASCII = re.compile("[\r\v\f\x1c-\x1f]")
_NEEDS = re.compile("[\t\r\v\f\x1c-\x1f\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f]|  | \n|\n\n\n")


def normalise_spaces(text: str) -> str:
    """One kind of space and line end; single spaces inside lines, at most one blank line, nothing at the ends.

    Indentation at the start of a line stays (lists, code), and so does the ideographic space U+3000.
    """
    text = text.strip()
    if not _NEEDS.search(text):
        return text
    # Each pattern costs more than looking for the plain string it needs.
    if not text.isascii() or _ODD_ASCII.search(text):
        text = _ODD_SPACES.sub(" ", _LINE_ENDS.sub("\n", text))
    if "  " in text or "\t" in text:
        text = _INNER.sub(" ", text)
    if " \n" in text or "\t\n" in text:
        text = _TRAILING.sub("", text)
    return _BLANK_LINES.sub("\n\n", text).strip() if "\n\n\n" in text else text.strip()
