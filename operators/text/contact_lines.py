"""Sentences whose whole point is a contact ("Questions? Mail ... or call ..."): signatures, headers, footers."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right

from operators.text.tokens import UNSPACED

_WORDS_A_MARK = 2
_START = re.compile(r"(?<![.!?])[.!?]++[\"'”’)\]]*+\s+|[。！？｡]+[\"'”’)\]」』）]*\s*|\n\s*")
_INVITATION = re.compile(r"(?:(?<=\s)|^)[^\W\d_]+(?: [^\W\d_]+)?\?\s+\Z")
_TAIL = re.compile(r"\s*(?:wrote|writes|said|schrieb|a écrit|写道)?\s*[.:;|)\]。：；]*[ \t]*", re.IGNORECASE)
_FULL_STOPS = frozenset(".:;|。：；")
# Words of scripts without spaces have about two characters.
_WORD = re.compile(rf"[{UNSPACED}]{{1,2}}|[^\W_{UNSPACED}]+")


def drop_contact_lines(text: str, marks: str) -> str:
    """The text without its contact lines, where contacts are written as single characters, those in `marks`.

    Such a line begins where a sentence or the text does, ends in a contact, and holds at most two words for each
    one. What follows it stays; a sentence that goes on after the contact in small letters stays whole. A text
    that would be empty is returned as it is.
    """
    mark = re.compile(rf"[\[(<]?[{marks}][\])>]?")
    places = list(mark.finditer(text))
    if not places:
        return text
    # Found once for all contacts: looking back from each would take the square of a text of many.
    starts = [0, *(m.end() for m in _START.finditer(text))]
    words = [m.start() for m in _WORD.finditer(text)]
    parts, at = [], 0
    i = 0
    while i < len(places):
        begin = max(at, starts[bisect_right(starts, places[i].start()) - 1])
        last = i
        while last + 1 < len(places) and _belongs(text[places[last].end() : places[last + 1].start()]):
            last += 1
        said = bisect_left(words, places[last].end()) - bisect_left(words, begin)
        tail = _TAIL.match(text, places[last].end())
        end = tail.end() if tail else places[last].end()
        if said <= _WORDS_A_MARK * (last - i + 1) and _begins(text[end : end + 1], tail[0] if tail else ""):
            invitation = _INVITATION.search(text, at, begin)
            parts.append(text[at : invitation.start() if invitation else begin])
            at = end
        i = last + 1
    left = "".join([*parts, text[at:]]).strip()
    return left if _WORD.search(left) else text


def _begins(character: str, before: str) -> bool:
    """Whether a new sentence can begin with it, or the text ends here. Of a letter that has no case, only the
    stop `before` it can tell."""
    if not character or character in "\n\"'“‘(-*•":
        return True
    if character.isupper() or character.istitle():
        return True
    return character.isalpha() and not character.islower() and not _FULL_STOPS.isdisjoint(before)


def _belongs(between: str) -> bool:
    """Whether two contacts stand in one line: nothing between them ends a sentence, and few words."""
    return not _START.search(between) and len(_WORD.findall(between)) <= _WORDS_A_MARK
