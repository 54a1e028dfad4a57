"""Spaces and line ends."""

from __future__ import annotations

import re

from operators.text.code import outside_code

_ODD_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\v\f\x1c-\x1f]")
_LINE_ENDS = re.compile("\r\n?|[\u0085\u2028\u2029]")
_INNER = re.compile(r"(?<=\S)(?:[ \t]{2,}|\t)(?=\S)")
_TRAILING = re.compile(r"[ \t]+(?=\n)")
_BLANK_LINES = re.compile(r"\n{3,}")
_ODD_ASCII = re.compile("[\r\v\f\x1c-\x1f]")
_NEEDS = re.compile("[\t\r\v\f\x1c-\x1f\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f]|  | \n|\n\n\n")


def normalise_spaces(text: str) -> str:
    """One kind of space and line end; single spaces inside lines, at most one blank line, nothing at the ends.

    Indentation at the start of a line stays (lists, code), and so does the ideographic space U+3000. Tabs are
    borders of columns, so each one stays: of two in a row, an empty cell lies between.
    """
    text = _strip(text)
    if not _NEEDS.search(text):
        return text
    # Each pattern costs more than looking for the plain string it needs.
    if not text.isascii() or _ODD_ASCII.search(text):
        text = _ODD_SPACES.sub(" ", _LINE_ENDS.sub("\n", text))
    if "  " in text or "\t" in text:
        text = _INNER.sub(_narrow, text)
    if " \n" in text or "\t\n" in text:
        text = _TRAILING.sub("", text)
    return _strip(_BLANK_LINES.sub("\n\n", text) if "\n\n\n" in text else text)


def normalise_spaces_outside_code(text: str) -> str:
    """`normalise_spaces`, with the spaces inside Markdown code left as they are; line ends are made alike there
    as well."""
    if not text.isascii() or "\r" in text:
        text = _LINE_ENDS.sub("\n", text)
    # An open fence hides the text's end.
    return outside_code(text, normalise_spaces).rstrip()


def _narrow(gap: re.Match[str]) -> str:
    return "\t" * gap[0].count("\t") or " "


def _strip(text: str) -> str:
    """The text without white space at its ends; a table whose first cell is empty keeps the tabs before it."""
    stripped = text.strip()
    if "\t" not in stripped.partition("\n")[0] or text.startswith(stripped[0]):
        return stripped
    indent = text[: text.index(stripped[0])].rpartition("\n")[2]
    return "\t" * indent.count("\t") + stripped
