"""Where sentences end, in any script."""

from __future__ import annotations

import re

_STOPS = ".!?…。！？｡।॥؟۔።။៕܀։॥"
_CLOSERS = "\"'”’»›)\\]}）】」』》*_`~"
_COMPLETE = re.compile(rf"[{_STOPS}][{_CLOSERS}\s]*\Z|```\s*\Z|[|}}>;]\s*\Z|[{_STOPS}]\s?\[?\d{{1,4}}\]?\Z")
_ELLIPSIS = re.compile(rf"(?:\.\s?\.\s?\.|…)[{_CLOSERS}\s]*\Z")
_BOUNDARY = re.compile(rf"(?<=[。！？｡])|(?<=[{_STOPS}][{_CLOSERS}])\s+|(?<=[{_STOPS}])\s+|\n+")
_LAST_STOP = re.compile(rf"[{_STOPS}][{_CLOSERS}]*(?=\s|\Z)|[。！？｡][{_CLOSERS}]*")
# Dots that end no sentence: initials and the abbreviations of prose that come before a capital or a number.
_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Z]|Dr|Mr|Mrs|Ms|Prof|St|vs|etc|e\.g|i\.e|cf|al|approx|No|Fig|Inc|Ltd|Jr|Sr)\.)\Z"
)
_LOOK_BACK = 12
"""Characters before a stop that can tell it ends no sentence."""
_ITEM = re.compile(r"[ \t]*(?:[-*+•▪◦‣]|\d{1,3}[.)]|\(?[a-zA-Z][.)])[ \t]+\S")
_OPEN_BRACKET = re.compile(r"[(（][^()（）\n\w]*\w[^()（）\n]*\Z")
# Words no English sentence ends in (prepositions that may end one, such as "with", are not here).
_INTRODUCES = re.compile(
    r"\b(?:the|an?|of|and|or|but|nor|which|whose|that|than|from|into|within|because|if|although|while|when|whereas"
    r"|including|such as|due to|their|its|his|our|your|my|is|are|was|were|be|been|has|have|can|may|will|should|by"
    r")\Z"
)
# Possessive, and an item holds no separator: else every dash doubles the work.
_INLINE_LIST = re.compile(r"(?:\s[-•–]\s++(?:(?!\s[-•–]\s)[^\n•–]){1,120}+){2,}\Z")


def is_complete(text: str) -> bool:
    """Whether a text ends as a finished text does: in terminal punctuation (an ellipsis is none), in code or a
    table, or in a list whose items go without it."""
    text = text.rstrip()
    if not text or _ELLIPSIS.search(text):
        return not text
    if _COMPLETE.search(text) or _INLINE_LIST.search(text[-400:]):
        return True
    lines = [line for line in text.split("\n") if line.strip()]
    items = [line for line in lines if is_list_item(line)]
    if len(items) < 2 or not is_list_item(lines[-1]):
        return False
    others = items[:-1]
    return sum(not _COMPLETE.search(line.rstrip()) for line in others) * 2 > len(others)


def is_list_item(line: str) -> bool:
    """Whether a line begins as an item of a list does: with a bullet, a number or a letter."""
    return _ITEM.match(line) is not None


def is_left_hanging(text: str) -> bool:
    """Whether the end itself says that something is missing, also in a text too short for punctuation: an
    ellipsis, a comma, an open bracket, or a word that only introduces the next ("of", "the", "which")."""
    text = text.rstrip()
    if _ELLIPSIS.search(text) or text.endswith((",", ";", "，", "、", "；")):
        return True
    return _OPEN_BRACKET.search(text) is not None or _INTRODUCES.search(text) is not None


def cut_to_sentence(text: str) -> str:
    """The text up to the end of its last complete sentence; "" where it has none."""
    for match in reversed(list(_LAST_STOP.finditer(text))):
        before = text[max(0, match.start() - _LOOK_BACK) : match.end()]
        if not _ELLIPSIS.search(before) and not _ABBREVIATION.search(before):
            return text[: match.end()].rstrip()
    return ""


def split_sentences(text: str) -> list[str]:
    """Sentences and lines of the text, in order, with their stops; white space between is lost. In scripts that
    write none, what follows a stop (a closing quotation mark, a second stop) begins the next."""
    return [part for part in _BOUNDARY.split(text) if part and part.strip()]
