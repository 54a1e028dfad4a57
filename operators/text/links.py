"""Links and the words that only lead to them."""

from __future__ import annotations

import re

_MARK = "\ufdef"  # a noncharacter: stands for a removed link while its surroundings are tidied
_URL = re.compile(
    r"(?:\b(?:https?|ftp)://|\bwww\.(?=[\w-]+\.))(?:[^\s<>\"'`(){}\[\]|，。；、（）「」《》]|\([^\s<>()]*\))+",
    re.IGNORECASE,
)
_TRAILING = ".,;:!?*_~-"
_IMAGE = re.compile(r"!\[([^\[\]\n]*)\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?:\s+\"[^\"\n]*\")?\)")
_LINK = re.compile(
    r"(?<!!)\[([^\[\]\n]*)\]\(((?:https?:|ftp:|mailto:|www\.|[/#.])[^()\s]*)(?:\s+\"[^\"\n]*\")?\)", re.I
)
_AUTOLINK = re.compile(rf"<\s*{_MARK}\s*>|[(\[（]\s*{_MARK}\s*[)\]）]")
_LEAD = re.compile(
    rf"(?:(?<=[.!?。！？])|^)[ \t]*(?:[-*•>|]\s*)?(?:[^.!?。！？\n{_MARK}]{{0,100}}?\b)?"
    r"(?:see(?: also| more)?(?: at| on| here)?|visit(?: us)?(?: at| on)?|go to|sources?|references?|links?|url|"
    r"website|via|read more(?: at| on| here)?|more (?:info|information|details)(?: at| on| here)?|"
    r"available (?:at|from)|retrieved from|check out|click(?: here| on)?|follow|详见|参见|来源|链接|网址|查看)"
    rf"\s*[:：]?\s*{_MARK}(?:[\s|,;·&]|\band\b|\bor\b|{_MARK})*[.!。]?",
    re.IGNORECASE | re.MULTILINE,
)
_ONLY = re.compile(rf"^[\s|,;·*•>-]*{_MARK}(?:[\s|,;·*•-]|{_MARK})*$", re.MULTILINE)
_LEFT = re.compile(rf"[ \t]*{_MARK}(?P<stop>[ \t]*[.,;:!?])?")


def may_have_links(text: str) -> bool:
    """Cheap test: False means `remove_links` would find none."""
    return "://" in text or "](" in text or "www." in text.lower()


def remove_links(text: str) -> tuple[str, int]:
    """The text without addresses, and how many there were.

    A Markdown link in a sentence keeps its label; a line of nothing but links goes, and so does a sentence
    whose point is the address ("For more information visit www...").
    """
    text, pictures = _IMAGE.subn("", text) if "![" in text else (text, 0)
    named = 0
    if "](" in text:
        lines = []
        for line in text.split("\n"):
            bare, n = _LINK.subn("", line)
            named += n
            # Nothing but links: navigation of the page the text came from.
            lines.append(_MARK if n and not re.search(r"\w", bare) else _LINK.sub(r"\1", line))
        text = "\n".join(lines)
    found = 0
    if "://" in text or "www." in text.lower():
        text, found = _URL.subn(_mark, text)
    if _MARK in text:
        text = _AUTOLINK.sub(_MARK, text)
        text = _ONLY.sub("", _LEAD.sub("", text))
        text = _LEFT.sub(lambda m: (m["stop"] or "").strip(), text)
    return text, pictures + named + found


def _mark(match: re.Match[str]) -> str:
    url = match[0]
    return _MARK + url[len(url.rstrip(_TRAILING)) :]
