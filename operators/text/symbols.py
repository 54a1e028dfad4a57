"""Symbols that carry no language: decoration, private characters, runs of punctuation.

Only characters named here are ever touched, so letters, marks, digits and punctuation of every script, and
the symbols of mathematics and money, are safe by construction.
"""

from __future__ import annotations

import re

# Private use, replacement character, noncharacters: no font shows them.
_PRIVATE = "\ue000-\uf8ff\ufffd\U000f0000-\U0010ffff"
# Beside a number one may have been a unit's prefix or a sign: without it "5 \ufffdg" would be five grams.
_UNSHOWABLE = re.compile(rf"(?<![{_PRIVATE}\d])(?<!\d )[{_PRIVATE}]+(?!\s?\d)")
# What the font Symbol of word processors shows there; it puts its signs into private use.
_OF_SYMBOL_FONT = str.maketrans(
    {
        0xF000 + ord(code): sign
        for code, sign in zip("abgdmD\xa3\xb0\xb1\xb3\xb4\xb9\xbb", "αβγδµΔ≤°±≥×≠≈", strict=True)
    }
)
_AT_NUMBER = re.compile("(?:(?<=\\d)|(?<=\\d ))[\uf020-\uf0ff]|[\uf020-\uf0ff](?=\\s?\\d)")
# Box drawing, blocks, geometric shapes, dingbats and arrows without a meaning in prose. Kept: sex and check marks,
# cards, music, warning and other signs that stand for a word, numbers in circles, and all emoji.
_DECORATION = (
    "\u2500-\u259f\u25a2-\u25b1\u25b4-\u25bb\u25be-\u25ca\u25cc\u25cd\u25d0-\u25ee\u25f0-\u25ff\u2729-\u274b\u2756"
    "\u2758-\u275a\u2765-\u2767\u2798-\u27be\u2b12-\u2b2f\u2b51-\u2b59"
)
# These say something where they stand by themselves: a loss or a fall, a triangle, a yes or no, a blank; a rating;
# a paragraph of a pleading. Inside words and in rows they are noise.
_SIGNS, _STARS = "▲△▼▽○●◎◯□■", "★☆⭐"
_EAST_ASIAN = r"\u2e80-\u9fff\uac00-\ud7a3"
_LETTER, _SMALL = rf"[^\W\d_{_EAST_ASIAN}]", rf"[^\W\d_A-Z{_EAST_ASIAN}]"


def _stuck(mark: str, word: str = f"{_LETTER}?{_SMALL}{_SMALL}") -> str:
    """A mark that clings to a word (`word`: how it begins) or ends the text after its last sentence. One with
    space around it, or at a number, may mean something."""
    after = rf"(?<={_SMALL}{_SMALL}){mark}|(?<={_LETTER}{_LETTER}{_LETTER}){mark}"
    before = rf"(?<!\d){mark}(?={word})"
    at_end = rf"(?<=[.,;!?)]){mark}(?=\s|\Z)|(?<=[.!?)] ){mark}(?=\s*\Z)"
    return f"(?:{after}|{before}|{at_end})"


_SIGNS_STUCK = re.compile(
    rf"(?<={_LETTER})[{_SIGNS}]++(?={_SMALL}{_LETTER})|(?<={_LETTER}{_LETTER})[{_SIGNS}]++(?={_SMALL})"
    rf"|(?<![{_SIGNS}{_EAST_ASIAN}])[{_SIGNS}]{{3,}}+(?!\s*\d|[{_EAST_ASIAN}])"
)
# Five stars, full stars before empty ones, and any after a colon are a rating.
_RATING = rf"(?:[{_STARS}]{{5}}|[★⭐]++☆++)(?![{_STARS}])"
_STARS_STUCK = re.compile(
    _stuck(rf"(?<![{_STARS}])[{_STARS}]{{1,2}}+(?![{_STARS}\ufe0f\d])", _LETTER)
    + rf"|(?<![{_STARS}:：])(?<![:：] )(?!{_RATING})[{_STARS}]{{3,}}+(?!\s*\(?\d|\ufe0f)"
)
_PARAGRAPHS_STUCK = re.compile(
    _stuck(r"¶++(?!\s*\d)", _LETTER + _SMALL) + rf"|(?<={_LETTER})¶++(?={_LETTER})" + r"|(?<!¶)¶{3,}+(?!\s*\d)"
)
_PIPES_STUCK = re.compile(_stuck(r"(?<!\|)\|{2,}+"))
# A row of a table, or of values between pipes some of which are missing.
_CELLS = re.compile(r"(?<!\|)\|(?!\|)|\d\s*+\|\||\|\|\s*\d")
# "·5 mg" and "▲ 3.2%" are no items of a list, "- 3" for "• 3" would be a negative number, and boxes may be ticked.
_BULLET = re.compile(
    "^([ \t]*)"
    "[\u25a2-\u25b1\u25b4-\u25bb\u25be-\u25ca\u25cc\u25cd\u25cf-\u25ee\u25f0-\u25ff\u2726-\u274b\u2794-\u27be\u2022\u2023\u00b7]"
    "[ \t]++(?=[^\\s\u2022\u2023\u00b7\u2500-\u27be])(?![.,+−-]?\\d)",
    re.MULTILINE,
)
# Beside a number it may be a degree or an arrow ("37 \u25e6C").
_DECORATED = re.compile(rf"(?<![{_DECORATION}\d%])(?<![\d%] )[{_DECORATION}]+(?!\ufe0f)")
_HINT = re.compile(f"[ÂÃ¶{_DECORATION}{_SIGNS}{_STARS}\u2022\u2023\u00b7\ue000-\uf8ff\ufffd\U000f0000-\U0010ffff]")

# Lines of nothing but one symbol: rules drawn by hand. (Markdown's --- of three stays.)
_RULE = re.compile(r"^[ \t]*(?:([=*#~^+.-])[ \t]*)(?:\1[ \t]*){3,}$\n?", re.MULTILINE)
_SHOUT = re.compile(r"([!?])\1{1,}|(?:[!?]){3,}")
_DOTS = re.compile(r"\.{4,}|。{2,}|，{2,}|、{2,}|…{3,}")
_RUN = re.compile(
    r"(?<![#~|@^%•·¤¦§*=+-])(?:(?<!^)(?<!\n)#{2,}|@{2,}|\^{2,}|%{2,}|[•·¤¦]{2,}|={4,}"
    # Up to four pluses grade a finding, four stars a p-value; dashes make arrows, the tables of Markdown, and the
    # gaps of an alignment.
    r"|\*{5,}|(?<![\d)])\*{4}(?!\*|\s*(?:[pP]\s*[<≤=>]|\d))|(?<![|:A-Z])(?<![|:] )-{5,}+(?! ?[|:]|[>A-Z])"
    r"|(?:[#$%^&*@~|\\=+]){5,})"
)
# What broken encodings leave of a lost character: inside a word after a small letter, or all alone.
_BROKEN = re.compile(r"(?<=[a-z])[ÂÃ](?![^\x00-\x7f])|(?<!\S)[ÂÃ](?!\S)")
# What is struck out stays marked as such.
_TILDES = re.compile(r"(?<!\w)(~~(?=[^\s~])[^~\n]+?(?<=[^\s~])~~)(?!\w)|(?<![#~|@^%•·¤¦§*=+-])~{2,}")
# ***bold italic*** is Markdown, F*** is a word, and three stars apart or at a number say what is significant; any
# others are residue.
_ASTERISKS = re.compile(
    r"(?<![\w*])(\*{3}(?=[^\s*])[^*\n]+?(?<=[^\s*])\*{3})(?![\w*])"
    r"|(?<=[^\W\d_])\*{3}(?=[^\W\d_])|(?<=[^\W\d_]{3})\*{3}(?![\w*])|(?<=[^\W\d_])\*{3}\Z"
    r"|(?<![\w*])\*{3}(?![pP]\s*[<≤=>])(?=[\"'“(]?[^\W\d_])|(?<=[.,;!?])\*{3}(?=\s|\Z)|(?<=[.!?] )\*{3}(?=\s*\Z)"
)
# Looking for plain strings first is ten times cheaper than searching for the patterns.
_PAIRS = (
    "!!",
    "??",
    "!?",
    "?!",
    "....",
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
        text = _UNSHOWABLE.sub("", _AT_NUMBER.sub(lambda m: m[0].translate(_OF_SYMBOL_FONT), text))
        if "○" not in text or "●" not in text:  # both: one of them is the choice
            text = _BULLET.sub(r"\1- ", text)
        text = _SIGNS_STUCK.sub("", _DECORATED.sub("", text))
        text = _PARAGRAPHS_STUCK.sub("", _STARS_STUCK.sub("", text))
        text = _BROKEN.sub("", text)
        text = re.sub(r"[•·]{2,}", "", text)
    if _has_runs(text):
        text = _RULE.sub("", text)
        text = _SHOUT.sub(lambda m: "?" if "?" in m[0] else "!", text)
        text = _DOTS.sub(lambda m: "..." if m[0][0] == "." else "……" if m[0][0] == "…" else m[0][0], text)
        text = _TILDES.sub(lambda m: m[1] or "", _ASTERISKS.sub(lambda m: m[1] or "", text))
        text = _RUN.sub(_run, text)
        if "||" in text:
            text = "\n".join(
                line if _CELLS.search(line) else _PIPES_STUCK.sub("", line) for line in text.split("\n")
            )
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
    if not match[0].strip("|"):
        return match[0]  # cells without a value
    # "100%%" is a percent sign escaped for printf.
    before = match.string[match.start() - 1 : match.start()]
    return "%" if match[0][0] == "%" and before.isdigit() else ""
