"""Repairs broken encodings, invisible characters and white space."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from operators.data.records import Record
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params, map_contents
from operators.text.code import looks_like_code, outside_code
from operators.text.spacing import normalise_spaces_outside_code

_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f]")
# Zero-width space, word joiner, soft hyphen, byte order mark, deprecated and interlinear controls, and tag
# characters (used to smuggle hidden instructions) outside an emoji flag.
_INVISIBLE = re.compile(
    "[\u00ad\u180e\u200b\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffc]|(?<![\U0001f3f4\U000e0020-\U000e007f])"
    "[\U000e0000-\U000e007f]+"
)
_JOINERS = re.compile("[\u200c\u200d]")
# A joiner shapes Arabic, Persian, Indic and emoji text; next to anything else it is residue.
_LONE_JOINER = re.compile(
    "(?<![\u0600-\u0dff\ufe0f\u2600-\u27bf\U0001f000-\U0001faff])[\u200c\u200d]"
    "|[\u200c\u200d](?![\u0600-\u0dff\u2600-\u27bf\U0001f000-\U0001faff])"
)
_DIRECTION = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
# Characters beyond U+FFFF are written as two escapes, a surrogate pair; a line end as CR and LF is one.
_ESCAPE = re.compile(
    r"\\(?:x|u00)0[dD](?=\\(?:x|u00)0[aA])"
    r"|\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))"
)
_LINE_BREAKS = "\n\r\v\f\u0085\u2028\u2029"
_ROUNDS = 4


class FixTextParams(Params):
    """Parameters of `fix_text`."""

    encoding: bool = Field(True, description="Repair text decoded with the wrong encoding (mojibake), with ftfy")
    invisible: bool = Field(True, description="Remove control, zero-width and stray direction characters")
    escapes: bool = Field(
        True, description=r"Decode escapes such as \x41 or \u00e9 left in prose (code is left alone)"
    )
    spaces: bool = Field(True, description="One kind of space and line end, no double spaces or blank lines")
    normalization: Literal["NFC", "NFKC", "none"] = Field(
        "NFC", description="Unicode normalization form; NFKC also replaces full-width and superscript forms"
    )


class FixText(Operator[FixTextParams]):
    """Repairs mojibake, invisible characters, undecoded escapes and white space, in every turn.

    Letters, punctuation and width of every script stay as they are: curly quotes and full-width Chinese
    punctuation are not faults, tabs divide the cells of a table. Touches all records: nothing is lost by it.
    """

    name = "fix_text"
    version = 2
    team = Team.CLEANING
    params_type = FixTextParams
    rowwise = True

    def apply(self, records: list[Record], context: Context) -> list[Record]:  # noqa: ARG002
        return map_contents(records, self._fix)

    def _fix(self, text: str) -> str:
        # One repair can uncover another (an escape that spells mojibake); the end is a fixed point.
        for _ in range(_ROUNDS):
            repaired = self._repair(text)
            spaced = normalise_spaces_outside_code(repaired) if self.params.spaces else repaired
            if repaired == text:
                return spaced
            text = spaced
        return text

    def _repair(self, text: str) -> str:
        p = self.params
        if p.escapes and "\\" in text and _ESCAPE.search(text) and not looks_like_code(text):
            text = outside_code(text, lambda t: _ESCAPE.sub(_unescape, t))
        if not text.isascii():
            text = self._fix_unicode(text)
        return _CONTROL.sub("", text) if p.invisible and _CONTROL.search(text) else text

    def _fix_unicode(self, text: str) -> str:
        p = self.params
        if p.encoding or p.normalization != "none":
            text = _ftfy(text, p.encoding, None if p.normalization == "none" else p.normalization)
        if p.invisible:
            text = _INVISIBLE.sub("", text)
            if _JOINERS.search(text):
                text = _LONE_JOINER.sub("", text)
            if _DIRECTION.search(text) and not _RIGHT_TO_LEFT.search(text):
                text = _DIRECTION.sub("", text)
        return text


def _ftfy(text: str, encoding: bool, normalization: str | None) -> str:
    import ftfy

    return str(
        ftfy.fix_text(
            text,
            unescape_html=False,  # the work of strip_markup
            fix_encoding=encoding,
            fix_c1_controls=encoding,
            fix_surrogates=encoding,
            fix_latin_ligatures=False,
            fix_character_width=False,
            uncurl_quotes=False,
            fix_line_breaks=False,
            remove_terminal_escapes=True,
            remove_control_chars=False,
            normalization=normalization,
            explain=False,
        )
    )


def _unescape(match: re.Match[str]) -> str:
    high, low, byte, unit = match.groups()
    if high:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    if not byte and not unit:
        return ""  # the CR of a line end
    character = chr(int(byte or unit, 16))
    if character.isprintable() or character in "\t\u3000":
        return character
    if character in _LINE_BREAKS:
        return "\n"
    return " " if character.isspace() else ""
