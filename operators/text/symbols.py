"""Symbols that carry no language: decoration, private characters, runs of punctuation.

Only characters named here are ever touched, so letters, marks, digits and punctuation of every script, and
the symbols of mathematics and money, are safe by construction.
"""

from __future__ import annotations

import re

# Private use, replacement character, noncharacters: no font shows them.
_UNSHOWABLE = re.compile("[\ue000-\uf8ff\ufffd\U000f0000-\U0010ffff]+")
# Box drawing, blocks, geometric shapes, stars, dingbats and arrows without a meaning in prose. Kept: sex and
# check marks, cards, music, warning and other signs that stand for a word, and all emoji.
_DECORATION = (
    "\u2500-\u25ff\u2605\u2606\u2729-\u274b\u2756\u2758-\u275a\u2765-\u2767\u2776-\u2793\u2798-\u27be\u2b12-\u2b2f"
    "\u2b50-\u2b59¶"
)
_BULLET = re.compile(
    "^([ \t]*)[\u25a0-\u25ff\u2726-\u274b\u2794-\u27be\u2022\u2023\u25e6\u00b7]"
    "(?=[ \t]*[^\\s\u2022\u2023\u00b7\u2500-\u27be])[ \t]*",
    re.MULTILINE,
)
_DECORATED = re.compile(f"[{_DECORATION}]+(?!\ufe0f)")
_HINT = re.compile(f"[ÂÃ{_DECORATION}\u2022\u2023\u00b7\ue000-\uf8ff\ufffd\U000f0000-\U0010ffff]")

# Lines of nothing but one symbol: rules drawn by hand. (Markdown's --- of three stays.)
_RULE = re.compile(r"^[ \t]*(?:([=*#~^+.-])[ \t]*)(?:\1[ \t]*){3,}$\n?", re.MULTILINE)
_SHOUT = re.compile(r"([!?])\1{1,}|(?:[!?]){3,}")
_DOTS = re.compile(r"\.{4,}|。{2,}|，{2,}|,{2,}|;{2,}|、{2,}|…{3,}")
_RUN = re.compile(
    r"(?<![#~|@^%•·¤¦§*=+-])(?:(?<!^)(?<!\n)#{2,}|~{2,}|\|{2,}|@{2,}|\^{2,}|%{2,}|[•·¤¦]{2,}|\*{4,}|={4,}|\+{4,}|-{5,}"
    r"|(?:[#$%^&*@~|\\=+]){5,})"
)
# What broken encodings leave of a lost character: inside a word after a small letter, or all alone.
_BROKEN = re.compile(r"(?<=[a-z])[ÂÃ](?![^\x00-\x7f])|(?<!\S)[ÂÃ](?!\S)")
# ***bold italic*** is Markdown, and F*** is a word; any other three stars are residue.
_STARS = re.compile(
    r"(?<![\w*])(\*{3}(?=[^\s*])[^*\n]+?(?<=[^\s*])\*{3})(?![\w*])"
    r"|(?<=\w)\*{3}(?=\w)|(?<=[^\W\d_]{3})\*{3}(?![\w*])|(?<![\w*])\*{3}(?!\*)|(?<=\w)\*{3}\Z"
)
# Looking for plain strings first is ten times cheaper than searching for the patterns.
_PAIRS = (
    "!!",
    "??",
    "!?",
    "?!",
    "....",
    ",,",
    ";;",
    "##",
    "~~",
    "||",
    "@@",
    "^^",
    "%%",
    "***",
    "====",
    "++++",
    "-----",
)
_WIDE_PAIRS = ("。。", "，，", "、、", "………")
_MIXED = re.compile(r"[#$%^&*@~|\\=+]{5}")
# Markdown's own signs are structure, not noise.
_SPECIAL = re.compile(f"[$%^&@~\\\\=+<>_{{}}\\[\\]{_DECORATION}\ufffd\ue000-\uf8ff]")


def remove_symbols(text: str) -> str:
    """The text without decoration, unshowable characters and runs of symbols; "Help!!!!" becomes "Help!"."""
    if not text.isascii() and _HINT.search(text):
        text = _BULLET.sub(r"\1- ", _UNSHOWABLE.sub("", text))
        text = _BROKEN.sub("", _DECORATED.sub("", text))
        text = re.sub(r"[•·]{2,}", "", text)
    if _has_runs(text):
        text = _RULE.sub("", text)
        text = _SHOUT.sub(lambda m: "?" if "?" in m[0] else "!", text)
        text = _DOTS.sub(lambda m: "..." if m[0][0] == "." else "……" if m[0][0] == "…" else m[0][0], text)
        text = _RUN.sub(_run, _STARS.sub(lambda m: m[1] or "", text))
    return text


def _has_runs(text: str) -> bool:
    if any(pair in text for pair in _PAIRS) or _MIXED.search(text):
        return True
    return not text.isascii() and any(pair in text for pair in _WIDE_PAIRS)


def symbol_share(text: str) -> float:
    """Share of the characters, white space aside, that are symbols which neither prose nor Markdown needs."""
    found = len(_SPECIAL.findall(text))
    return found / sum(map(len, text.split())) if found else 0.0


def _run(match: re.Match[str]) -> str:
    # "100%%" is a percent sign escaped for printf.
    before = match.string[match.start() - 1 : match.start()]
    return "%" if match[0][0] == "%" and before.isdigit() else ""
