"""Markdown syntax in prose."""

from __future__ import annotations

import re

_HEADING = re.compile(r"^[ \t]{0,3}#{1,6}[ \t]+(?=\S)|(?<![ \t])[ \t]+#+[ \t]*$", re.MULTILINE)
_RULE = re.compile(r"^[ \t]*(?:[-*_][ \t]*){3,}$\n?", re.MULTILINE)
# "> 60 mL/min" at the start of a line compares.
_QUOTE = re.compile(r"^[ \t]{0,3}(?:>[ \t]?)++(?![ \t]*(?:=|[+−-]?[.$€£¥]?\d))", re.MULTILINE)
_STRONG = re.compile(r"(?<![*\w])(\*{1,3})(?=[^\s*])((?:[^*\n]|\n(?!\s*\n))+?)(?<=[^\s*])\1(?![*\w])")
# A name such as __init__ means what it does by its underscores.
_UNDERLINED = re.compile(r"(?<![_\w])(?!__[a-z\d]+__(?![_\w]))(_{1,3})(?=[^\s_])([^_\n]+?)(?<=[^\s_])\1(?![_\w])")
_ANY = re.compile(r"^[ \t]{0,3}#{1,6}[ \t]+\S|(?<![*\w])\*\*[^\s*][^*\n]*\*\*|^[ \t]*```", re.MULTILINE)


def has_markdown(text: str) -> bool:
    """Whether the text uses headings, bold or fenced code of Markdown."""
    return ("#" in text or "**" in text or "```" in text) and _ANY.search(text) is not None


def may_have_markdown(text: str) -> bool:
    """Cheap test: False means `strip_markdown` would change nothing."""
    return any(mark in text for mark in ("#", "**", "__", "---", "- -", ">", "*", "_"))


def strip_markdown(text: str) -> str:
    """Headings, emphasis, quotes and rules as plain text. Lists and tables stay: they read well as they are.
    So does what is struck out: without its marks it would count again."""
    if "#" in text:
        text = _HEADING.sub("", text)
    if ">" in text:
        text = _QUOTE.sub("", text)
    text = _RULE.sub("", text)
    if "*" in text:
        text = _STRONG.sub(r"\2", text)
    if "_" in text:
        text = _UNDERLINED.sub(r"\2", text)
    return text
