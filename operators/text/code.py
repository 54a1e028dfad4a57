"""Code inside texts: clean-up meant for prose must not touch it."""

from __future__ import annotations

import re
from collections.abc import Callable

_SPAN = re.compile(r"```.*?(?:```|\Z)|~~~\n.*?(?:~~~|\Z)|``[^\n]+?``|`[^`\n]+`", re.DOTALL)
# Noncharacters: Unicode reserves them for use inside a program, no text holds them.
_OPEN, _CLOSE, _ZERO = "\ufdd0", "\ufdd1", 0xFDD2
_MARK = re.compile(f"{_OPEN}([\ufdd2-\ufde1]+){_CLOSE}")
_NONCHARACTERS = re.compile("[\ufdd0-\ufdef]")
_CODE = re.compile(
    r"[;{}][^\S\n]*$"
    r"|^[^\S\n]*(?:def|class|import|from|for|while|if|elif|return|function|const|let|var|public|private|static|void|int|"
    r"#include|print|console)\b.*[:;(){}=][^\S\n]*$"
    r"|^[^\S\n]*(?:SELECT|INSERT|UPDATE|CREATE|DELETE)\b.*\b(?:FROM|INTO|SET|TABLE)\b"
    r"|\w\s*(?:===?|!=)\s*[\w'\"]|&&|=>|->\s*\w+\s*[:{]|</?\w+/>|\w\(\)",
    re.MULTILINE,
)


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Applies `change` to the text with its Markdown code (fenced or between backticks) hidden from it."""
    if "`" not in text and "~~~" not in text:
        return change(text)
    spans: list[str] = []

    def hide(match: re.Match[str]) -> str:
        spans.append(match[0])
        return _OPEN + "".join(chr(_ZERO + int(d, 16)) for d in f"{len(spans) - 1:x}") + _CLOSE

    def show(match: re.Match[str]) -> str:
        return spans[int("".join(f"{ord(c) - _ZERO:x}" for c in match[1]), 16)]

    hidden = _SPAN.sub(hide, _NONCHARACTERS.sub("", text))
    return _MARK.sub(show, change(hidden)) if spans else change(hidden)


def without_code(text: str) -> str:
    """The text without its Markdown code."""
    return _SPAN.sub("", text) if "`" in text or "~~~" in text else text


def looks_like_code(text: str) -> bool:
    """Whether a text without Markdown fences reads like program text: then its symbols mean something."""
    return _CODE.search(text) is not None
