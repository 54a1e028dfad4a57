"""Sentences whose whole point is a contact ("Questions? Mail ... or call ..."): signatures, headers, footers."""

from __future__ import annotations

import re

_WORDS_A_MARK = 2
_START = re.compile(r"[.!?。！？]+[\"'”’)\]]*\s+|\n\s*")
_INVITATION = re.compile(r"(?:(?<=\s)|^)[^\W\d_]+(?: [^\W\d_]+)?\?\s+\Z")
_TAIL = re.compile(r"\s*(?:wrote|writes|said|schrieb|a écrit|写道)?\s*[.:;|)\]。：；]*[ \t]*", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")


def drop_contact_lines(text: str, marks: str) -> str:
    """The text without its contact lines, where contacts are written as single characters, those in `marks`.

    Such a line begins where a sentence or the text does, ends in a contact, and holds at most two words for each
    one. What follows it stays; a sentence that goes on after the contact in small letters stays whole. A text
    that would be empty is returned as it is.
    """
    mark = re.compile(rf"[\[(<]?[{marks}][\])>]?")
    parts, at = [], 0
    places = list(mark.finditer(text))
    i = 0
    while i < len(places):
        begin = max(at, _sentence_start(text, places[i].start()))
        last = i
        while last + 1 < len(places) and _belongs(text[places[last].end() : places[last + 1].start()]):
            last += 1
        said = mark.sub(" ", text[begin : places[last].end()])
        tail = _TAIL.match(text, places[last].end())
        end = tail.end() if tail else places[last].end()
        if len(_WORD.findall(said)) <= _WORDS_A_MARK * (last - i + 1) and _begins(text[end : end + 1]):
            invitation = _INVITATION.search(text, at, begin)
            parts.append(text[at : invitation.start() if invitation else begin])
            at = end
        i = last + 1
    left = "".join([*parts, text[at:]]).strip()
    return left if _WORD.search(left) else text


def _sentence_start(text: str, place: int) -> int:
    ends = [m.end() for m in _START.finditer(text, 0, place)]
    return ends[-1] if ends else 0


def _begins(character: str) -> bool:
    """Whether a new sentence can begin with it, or the text ends here."""
    return not character or character in "\n\"'“‘(-*•" or (character.isalpha() and not character.islower())


def _belongs(between: str) -> bool:
    """Whether two contacts stand in one line: nothing between them ends a sentence, and few words."""
    return not _START.search(between) and len(_WORD.findall(between)) <= _WORDS_A_MARK
