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
# Their content is no markup to a parser, or moves when it stands outside its parent: cut by pattern instead.
_RAW = "iframe math noembed noframes noscript plaintext svg textarea title xmp td th"
_DROPPED = "script style template"
_BOOLEAN = (
    "allowfullscreen|async|autofocus|autoplay|checked|compact|controls|defer|disabled|download|hidden|ismap|"
    "loop|multiple|muted|noshade|nowrap|open|readonly|required|reversed|selected"
)


def _tag(names: str) -> str:
    # An attribute without a value counts only if HTML knows it: "a <b and c> d" is arithmetic.
    known = "|".join(sorted(names.split(), key=len, reverse=True))
    value = r"""(?:"[^"]*"|'[^']*'|[^\s"'<>]+)"""
    return rf"</?(?:{known})(?:\s+(?:[A-Za-z_:@][\w:.@-]*\s*=\s*{value}|{_BOOLEAN}))*\s*/?>"


_DOCTYPE = r"<!doctype\s[^<>]*>"
_ANY = re.compile(rf"{_tag(f'{_INLINE} {_BLOCK} {_RAW} {_DROPPED}')}|{_DOCTYPE}", re.IGNORECASE)
_NO_TAG = re.compile(rf"<(?!{_tag(f'{_INLINE} {_BLOCK} {_DROPPED}')[1:]})", re.IGNORECASE)
_RAW_TAG = re.compile(rf"{_tag(_RAW)}|{_DOCTYPE}", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_POWER = re.compile(r"(?<=\d)<sup>\s*([-+−–]?\d+)\s*</sup>", re.IGNORECASE)
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
    """The text a reader of the page would see: block elements end a line, comments, scripts and styles are
    gone, 10<sup>6</sup> is 10^6. Angle brackets that begin no HTML tag ("a < b", "<stdin>") stay."""
    if "<" not in text:
        return text
    text = _without_comments(text)
    if not _ANY.search(text):
        return text
    from selectolax.lexbor import LexborHTMLParser

    text = _RAW_TAG.sub(" ", _POWER.sub(r"^\1", text))
    text = _NO_TAG.sub("&lt;", text.replace("&", "&amp;"))
    tree = LexborHTMLParser(text, is_fragment=True)
    for node in tree.css(",".join(_DROPPED.split())):
        node.decompose()
    blocks = tree.css(",".join(_BLOCK.split()))
    bullet = "\n- " if sum(node.tag == "li" for node in blocks) > 1 else "\n"
    for node in blocks:
        node.insert_before(bullet if node.tag == "li" else "\n")
        if node.tag not in ("br", "hr"):
            node.insert_after("\n")
    shown = str(tree.root.text()) if tree.root else ""
    return _LINE_START.sub("\n", _BEFORE_ITEM.sub(_without_gap, shown))


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
