"""Links and the words that only lead to them."""

from __future__ import annotations

import re

_MARK = "\ufdef"  # a noncharacter: stands for a removed link while its surroundings are tidied
# What an address is written with, without the letters of scripts that put no space after it.
_PLAIN = r"[!#-&*-;=?-Z\\^_a-z~\u00c0-\u024f]"
_URL = re.compile(
    rf"(?<![A-Za-z0-9_])(?:(?:https?|ftp)://|www\.(?=[\w-]+\.))(?:{_PLAIN}|\((?:{_PLAIN}|[\"'`{{}}\[\]|])*\))+",
    re.IGNORECASE,
)
_TRAILING = ".,;:!?*_~-"
_IMAGE = re.compile(r"!\[([^\[\]\n]*)\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?:\s+\"[^\"\n]*\")?\)")
_LINK = re.compile(
    r"(?<!!)\[([^\[\]\n]*)\]\(((?:https?:|ftp:|mailto:|www\.|[/#.])[^()\s]*)(?:\s+\"[^\"\n]*\")?\)", re.I
)
_STRUCTURE = re.compile(r"\s*(?:[-*+•]\s|\d{1,3}[.)]\s|\|)")
# Words that only lead to an address. A noun is one of them only before a colon or where nothing comes before it:
# "the website https://... lists 20 mg" tells something.
_NOUN = r"(?:\b(?:sources?|references?|links?|url|website)|来源|链接|网址)"
_LEADING = (
    r"(?:\b(?:(?:please )?(?:see(?: also| more)?(?: at| on| here)?|visit(?: us)?(?: at| on)?|go to|check out|"
    r"click(?: here| on)?|follow)|via|read more(?: at| on| here)?|retrieved from|"
    r"more (?:info|information|details)(?: at| on| here)?|(?:(?:is|are) )?available (?:at|from))|"
    rf"详见|参见|查看|{_NOUN}(?=\s*[:：]))"
)
_MARKS = rf"\s*+(?:[:：]\s*+)?{_MARK}(?:[ \t]*+(?:(?:[|,;·&]|and\b|or\b)[ \t]*+)?{_MARK})*+"
_INFORMATION = r"(?:(?:more|further|full|additional) )?(?:info|information|details|instructions|guidance|help)\b"
# A sentence of more than four words says something beside the address, unless they only promise more of it.
_FEW = (
    rf"(?:for {_INFORMATION}[^.!?\d\n{_MARK}]{{0,80}}?|"
    r"(?:[^\W\d][\w'’-]{0,30}[ \t]+){1,4}?(?-i:(?=[a-z]))|[\u3400-\u9fff]{1,6}?)?"
)
_POINTER = rf"(?:{_FEW}{_LEADING}|{_NOUN}){_MARKS}(?:[ \t]+for {_INFORMATION})?"
_BRACKETED = re.compile(rf"<\s*{_MARK}\s*>|[(\[（]\s*+(?:{_POINTER}|{_MARKS})\s*[)\]）]", re.IGNORECASE)
_SENTENCE = re.compile(
    rf"(?:(?<=[.!?。！？])|^)[ \t]*+(?:[-*•>|][ \t]*+)?{_POINTER}[ \t]*+(?:[.!。！]|$)",
    re.IGNORECASE | re.MULTILINE,
)
_LEAD = re.compile(rf"(?:{_LEADING}|(?:(?<=[.!?。！？(（] )|^){_NOUN}){_MARKS}", re.IGNORECASE | re.MULTILINE)
_ONLY = re.compile(rf"^[ \t|,;·*•>-]*+{_MARK}(?:[ \t|,;·*•-]|{_MARK})*+$", re.MULTILINE)
_FIRST = re.compile(
    rf"(?:(?<=[(\[（])|(?<=[.!?。！？] )|^){_MARK}[ \t]*+(?:[,;:，；：][ \t]*+)?(?=\w)", re.MULTILINE
)
_LEFT = re.compile(
    rf"(?<![ \t])[ \t]*+(?P<before>[,;:，；：–—]?)[ \t]*+{_MARK}(?:[ \t]*(?P<stop>[.,;:!?。，；：！？)\]）]|$))?",
    re.MULTILINE,
)


def may_have_links(text: str) -> bool:
    """Cheap test: False means `remove_links` would find none."""
    return "://" in text or "](" in text or "www." in text.lower()


def remove_links(text: str) -> tuple[str, int]:
    """The text without addresses, and how many there were.

    A Markdown link in a sentence keeps its label; a line of nothing but several links goes, and so does a short
    sentence or parenthesis whose point is the address ("For more information visit www..."). Of another sentence
    that leads to an address only the leading words go.
    """
    text, pictures = _IMAGE.subn("", text) if "![" in text else (text, 0)
    named = 0
    if "](" in text:
        lines = []
        for line in text.split("\n"):
            bare, n = _LINK.subn("", line)
            named += n
            # Nothing but links, next to each other: navigation of the page the text came from. One alone, in an
            # item or in a row of a table may be what the text is about.
            navigation = n > 1 and not re.search(r"\w", bare) and not _STRUCTURE.match(line)
            lines.append(_MARK if navigation else _LINK.sub(r"\1", line))
        text = "\n".join(lines)
    found = 0
    if "://" in text or "www." in text.lower():
        text, found = _URL.subn(_mark, text)
    if _MARK in text:
        text = _SENTENCE.sub("", _BRACKETED.sub(_MARK, text))
        text = _FIRST.sub("", _ONLY.sub("", _LEAD.sub(_MARK, text)))
        text = _LEFT.sub(lambda m: m["before"] if m["stop"] is None else m["stop"], text)
    return text, pictures + named + found


def _mark(match: re.Match[str]) -> str:
    url = match[0]
    return _MARK + url[len(url.rstrip(_TRAILING)) :]
