"""HTML residue in plain text: tags, comments, entities."""

from __future__ import annotations

import html
import re

_INLINE = (
    "a abbr acronym address area audio b base bdi bdo big cite code col colgroup data del dfn em embed "
    "font form i img input ins kbd label link map mark meta nobr object param picture q rp rt ruby s samp "
    "select small source span strike strong sub sup time tt u var video wbr"
)
_BLOCK = (
    "article aside blockquote body br button caption center dd details div dl dt fieldset figcaption figure "
    "footer h1 h2 h3 h4 h5 h6 head header hr html legend li main nav ol optgroup option p pre section summary "
    "table tbody tfoot thead tr ul"
)
# Their content is another language, or text that stands outside the page's own.
_RAW = "iframe math noembed noframes noscript plaintext svg textarea title xmp"
_CELL = "td th"
_DROPPED = "script style template"
# Also what authors call the blanks of a form, the parameters of a command and the types of a program: "<address>"
# alone, with no attribute and nothing that closes it, is such a word.
_WORD = (
    "address area article aside audio base button caption code data details figure footer form header input label "
    "legend main map mark math object option param picture script section select source style summary template "
    "time title video"
)
_BOOLEAN = (
    "allowfullscreen|async|autofocus|autoplay|checked|compact|controls|defer|disabled|download|hidden|ismap|"
    "loop|multiple|muted|noshade|nowrap|open|readonly|required|reversed|selected"
)


_INLINE_NAMES, _BLOCK_NAMES = frozenset(_INLINE.split()), frozenset(_BLOCK.split())
_RAW_NAMES, _DROPPED_NAMES = frozenset(_RAW.split()), frozenset(_DROPPED.split())
_WORDS = frozenset(_WORD.split())
_KNOWN = "|".join(sorted(f"{_INLINE} {_BLOCK} {_RAW} {_CELL} {_DROPPED}".split(), key=len, reverse=True))
_VALUE = r"""(?:"[^"]*"|'[^']*'|[^\s"'<>]+)"""
# An attribute without a value counts only if HTML knows it: "a <b and c> d" is arithmetic.
_TAG = re.compile(
    rf"<(?P<close>/?)(?P<name>{_KNOWN})(?:\s+(?:[A-Za-z_:@][\w:.@-]*\s*=\s*{_VALUE}|{_BOOLEAN}))*\s*/?>"
    r"|<!doctype\s[^<>]*>",
    re.IGNORECASE,
)
_BARE = re.compile(r"<\w+\s*>")
_PROGRAM = re.compile(r"[=(){};<]")
# Noncharacters stand for the ends of rows and the starts of cells until all cells of a row are known.
_ROW_END, _CELL_START = "\ufded", "\ufdee"
_MARKS = re.compile(f"[{_ROW_END}{_CELL_START}]")
_LONGEST_CELL = 200
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_POWER = re.compile(r"(?<=\d)\s?<sup>\s*([-+−–]?\d+(?:[.,]\d+)?)\s*</sup>", re.IGNORECASE)
# Without a sign of it, what is struck out would count again.
_STRUCK = re.compile(
    r"<(?P<name>del|s|strike)(?:\s[^<>]*)?>\s*(?P<text>[^<>\n]*?)\s*</(?P=name)\s*>", re.IGNORECASE
)
_BEFORE_ITEM = re.compile(r"(?<!\s)\s++(?=- )")
_LINE_START = re.compile(r"\n (?=\S)")
_ROUNDS = 3


def decode_entities(text: str) -> str:
    """Replaces entities that end in a semicolon, also doubly escaped ones. Unknown names stay."""
    for _ in range(_ROUNDS):
        if "&" not in text:
            return text
        decoded = _ENTITY.sub(lambda m: html.unescape(m[0]), text)
        if decoded == text:
            return text
        text = decoded
    return text


def strip_tags(text: str) -> str:
    """The text a reader of the page would see: block elements end a line, the cells of a table's row stand in one,
    comments, scripts and styles are gone, 10<sup>6</sup> is 10^6, and what is struck out stands between ~~. Angle
    brackets that begin no HTML tag ("a < b", "<stdin>") stay, and so does an English word between them that
    nothing closes ("<address>")."""
    if "<" not in text:
        return text
    text = _without_comments(text)
    if not _TAG.search(text):
        return text
    text = _POWER.sub(r"^\1", _MARKS.sub("", text))
    text = _STRUCK.sub(_struck_out, text)
    shown = _join_cells(_shown(text, list(_TAG.finditer(text))))
    return _LINE_START.sub("\n", _BEFORE_ITEM.sub(_without_gap, shown))


def _struck_out(match: re.Match[str]) -> str:
    """Between marks that read as such: apart from the words beside them."""
    if not match["text"]:
        return ""
    start, end = match.span()
    before, after = match.string[start - 1 : start], match.string[end : end + 1]
    return f"{' ' if before.isalnum() else ''}~~{match['text']}~~{' ' if after.isalnum() else ''}"


def _shown(text: str, tags: list[re.Match[str]]) -> str:
    """The text with line ends and marks of cells in place of its tags. One pass, however deep the tags nest."""
    partner, words = _pairs(text, tags)
    bullet = "\n- " if sum(_name(t) == "li" and not t["close"] for t in tags) > 1 else "\n"
    parts, at, skipped_to = [], 0, 0
    rows = [False]  # of the tables around this place, the page itself first: whether a row has begun
    before = ""
    for i, tag in enumerate(tags):
        if i < skipped_to or i in words:
            continue
        parts.append(text[at : tag.start()])
        at = tag.end()
        name, opens = _name(tag), not tag["close"]
        if name in _DROPPED_NAMES and i in partner:
            skipped_to = partner[i] + 1
            at = tags[partner[i]].end()
        elif name in ("td", "th"):
            parts.append(" " if not rows[-1] else _CELL_START if opens else "")
        elif name == "tr":
            rows[-1] = opens
            parts.append(_ROW_END)
        elif name == "table":
            if opens:
                rows.append(False)
            elif len(rows) > 1:
                rows.pop()
            parts.append("\n" if opens else f"{_ROW_END}\n")
        elif name == "li":
            parts.append(bullet if opens else "\n")
        elif name == "p" and opens and before == "<p":
            parts.append("\n\n")  # a paragraph ends the one before it
        elif name in _BLOCK_NAMES:
            parts.append("\n")
        elif name in _RAW_NAMES or not name:
            parts.append(" ")
        if name not in _INLINE_NAMES:
            before = f"<{name}" if opens else ""
    return "".join([*parts, text[at:]])


def _pairs(text: str, tags: list[re.Match[str]]) -> tuple[dict[int, int], set[int]]:
    """Which tag closes which, both by number, and which tags are words of the text."""
    partner: dict[int, int] = {}
    waiting: dict[str, list[int]] = {}
    for i, tag in enumerate(tags):
        places = waiting.setdefault(_name(tag), [])
        if not tag["close"]:
            places.append(i)
        elif places:
            partner[places.pop()] = i
    words = {i for name in _WORDS & waiting.keys() for i in waiting[name] if _BARE.fullmatch(tags[i][0])}
    # "Put it between <script> and </script>" names the tags. The content between two partners is looked at once,
    # since those of one name nest and only the innermost has no "<".
    for i, j in partner.items():
        if _name(tags[i]) in _DROPPED_NAMES and i + 1 == j and _BARE.fullmatch(tags[i][0]):
            content = text[tags[i].end() : tags[j].start()]
            if content.strip() and not _PROGRAM.search(content):
                words |= {i, j}
    return partner, words


def _name(tag: re.Match[str]) -> str:
    return (tag["name"] or "").lower()


def _join_cells(text: str) -> str:
    """Rows of a table as lines, their cells apart from each other."""
    if _ROW_END not in text:
        return text
    lines = [_row(part) for part in text.split(_ROW_END)]
    return "\n".join(line for line in lines if line.strip())


def _row(text: str) -> str:
    if _CELL_START not in text:
        return text
    cells = [cell.strip() for cell in text.split(_CELL_START)]
    cells = cells if cells[0] else cells[1:]
    # A long cell lays out a page; its paragraphs stay apart.
    if max(map(len, cells)) > _LONGEST_CELL:
        return "\n".join(cell for cell in cells if cell)
    while cells and not cells[-1]:
        cells.pop()
    return " | ".join(" ".join(cell.split()) for cell in cells).lstrip()


def _without_gap(match: re.Match[str]) -> str:
    """White space before a list item, without its empty lines."""
    space = match[0]
    if not space.endswith("\n") or space.count("\n") < 2:
        return space
    return space[: space.index("\n")].rstrip(" \t") + "\n"


def _without_comments(text: str) -> str:
    parts, at = [], 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        parts.append(text[at:start])
        at = end + 3
    return "".join([*parts, text[at:]]) if at else text
