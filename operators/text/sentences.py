"""Where sentences end, in any script."""

from __future__ import annotations

import re
import unicodedata

_STOPS = ".!?…。！？｡।॥؟۔።။៕܀։॥"
_CLOSERS = "\"'”’»›)\\]}）】」』》*_`~"
_COMPLETE = re.compile(rf"[{_STOPS}][{_CLOSERS}\s]*\Z|```\s*\Z|[|}}>;]\s*\Z|[{_STOPS}]\s?\[?\d{{1,4}}\]?\Z")
_ELLIPSIS = re.compile(rf"(?:\.\s?\.\s?\.|…)[{_CLOSERS}\s]*\Z")
# Begins with white space, which a search finds fast, and looks back from there.
_AFTER_STOP = rf"\s(?:(?<=[{_STOPS}][{_CLOSERS}]\s)\s*|(?<=[{_STOPS}]\s)\s*|(?<=\n)\n*)"
_UNSPACED_STOPS = "。！？｡"
_BOUNDARY = re.compile(_AFTER_STOP)
_UNSPACED_BOUNDARY = re.compile(rf"(?<=[{_UNSPACED_STOPS}])|{_AFTER_STOP}")
_LAST_STOP = re.compile(rf"[{_STOPS}][{_CLOSERS}]*(?=\s|\Z)|[。！？｡][{_CLOSERS}]*")
# Dots that end no sentence: initials and the abbreviations of prose that come before a capital or a number.
_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Z]|Dr|Mr|Mrs|Ms|Prof|St|vs?|etc|e\.g|i\.e|cf|al|approx|ca|viz|Nos?|Figs?|Inc|Ltd|Co|Corp|Jr|Sr|Hon"
    r"|Arts?|Secs?|Paras?|Regs?|Cl|Ch|Pt|Rev|Stat|Supp|Cir|Vol|pp?|Abs|lit|Nr|Ziff|bzw|z\. ?B|Rn|Rz)|§)\.\Z"
)
# Abbreviations, most of them of prescriptions, that may end one: where no small letter and no number follows.
_MAY_END = re.compile(
    r"\b(?:p\.o|i\.[vm]|s\.c|p\.r\.n|[bt]\.i\.d|q\.[idh](?:\.[dsn])?|h\.s|a\.c|tabs?|caps?|max|min|arts?|secs?"
    r"|paras?|regs?|figs?|vol)\.\Z"
)
_GOES_ON = re.compile(r"\s*[a-z0-9§(]")
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

# A text may end in a value or a citation without a stop: "40 mg/day", "5.25%", "42 U.S.C. § 1983".
_NUMBER = r"(?<![A-Za-z\u00c0-\u024f\d_.,:/^–-])[-+−]?\d[\d.,:/×^–-]*(?<![.,:/×^–-])"
_UNIT = (
    r"(?:[kmcdnµμ]?(?:[glLm]|mol|Eq|IU|Hz|Pa|cal)|mcg|mm ?Hg|IU|bpm|ppm|bps?|[°º][CF]?|units?|tablets?|capsules?"
    r"|drops?|doses?|times|points?|per ?cent|people|patients|seconds?|min(?:utes?)?|h(?:ours?|rs?)?|days?|weeks?"
    r"|months?|years?|hundred|thousand|[bm]illion|dollars?|euros?|pounds?|shares?|USD|EUR|GBP|CNY|RMB|[千毫微公]?[克斤升米]"
    r"|单位|[万亿]?[元人]|[万亿天日周年次岁片粒倍]|个月|小时|分钟)"
)
_OFTEN = r"(?:once |twice )?daily|(?:a|per|each|every) (?:day|week|month|year)|bid|tid|qid"
_VALUE = re.compile(
    rf"{_NUMBER}(?:[a-z](?:-\d+)?|\s?[%‰]|\s?{_UNIT}[²³]?(?:\s?/\s?(?:[\d.]+\s?)?\w+[²³]?){{0,3}})?"
    rf"(?: (?:{_OFTEN}))?\Z|[)）]\Z"
)
# "every 4", "between 10 mg": the value has only begun.
_HALF_A_VALUE = re.compile(r"\b(?:the|every) \d+\Z|\bbetween [\d.,]+\s?[a-zA-Z%]{0,6}\Z", re.IGNORECASE)
_LONGEST_VALUE = 60
"""Characters at the end of a text that are looked at for a value."""
# Nothing is cut off after a placeholder such as [PHONE], the letter of a choice, or in scripts without stops: Thai
# and Lao.
_OTHER_END = re.compile(
    r"\[[A-Z]{3,12}\]\Z|\b(?:answer|option|choice)\b[^.!?\n]{0,30}\b[A-J]\Z"
    r"|[\u0e01-\u0eff]\Z"
)


def is_complete(text: str) -> bool:
    """Whether a text ends as a finished text does: in terminal punctuation (an ellipsis is none), in code, a
    formula or a table, in a value, a citation or a closed bracket, in an emoji, in the letter of a choice, or in a
    list whose items go without it. Thai and Lao, which write no stops, always do."""
    text = text.rstrip()
    if not text or _ELLIPSIS.search(text):
        return not text
    if _COMPLETE.search(text) or _INLINE_LIST.search(text[-400:]) or _ends_in_value(text):
        return True
    if _OTHER_END.search(text) or _ends_in_formula(text) or _ends_in_emoji(text):
        return True
    lines = [line for line in text.split("\n") if line.strip()]
    items = [line for line in lines if is_list_item(line)]
    if len(items) < 2 or not is_list_item(lines[-1]):
        return False
    others = items[:-1]
    return sum(not _COMPLETE.search(line.rstrip()) for line in others) * 2 > len(others)


def _ends_in_formula(text: str) -> bool:
    return text[-1] == "$" and text.count("$") % 2 == 0


def _ends_in_emoji(text: str) -> bool:
    last = text.rstrip("\ufe0f\u200d")[-1:]
    return bool(last) and last != "\ufffd" and unicodedata.category(last) == "So"


def _ends_in_value(text: str) -> bool:
    end = text[-_LONGEST_VALUE:]
    return _VALUE.search(end) is not None and not (_HALF_A_VALUE.search(end) or is_left_hanging(text))


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
        if _ELLIPSIS.search(before) or _ABBREVIATION.search(before):
            continue
        if not (_MAY_END.search(before) and _GOES_ON.match(text, match.end())):
            return text[: match.end()].rstrip()
    return ""


def split_sentences(text: str) -> list[str]:
    """Sentences and lines of the text, in order, with their stops; white space between is lost. In scripts that
    write none, what follows a stop (a closing quotation mark, a second stop) begins the next."""
    unspaced = any(stop in text for stop in _UNSPACED_STOPS)
    parts = (_UNSPACED_BOUNDARY if unspaced else _BOUNDARY).split(text)
    return [part for part in parts if part and part.strip()]
