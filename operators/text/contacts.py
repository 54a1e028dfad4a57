"""Strings that lead to a person: e-mail addresses, telephone numbers, network addresses, identity numbers.

Numbers of medicine, law and finance look much alike ("10-20 mg", "2010-2015", "1,000,000", "4000-11000 /ul"),
so a number counts only with a form, a check digit or a word before it that nothing else has.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Literal

Kind = Literal["email", "phone", "ip", "id"]
Replace = Callable[[Kind, str], str]

_LABEL = r"[A-Za-z0-9][A-Za-z0-9-]{0,62}"
_EMAIL = re.compile(
    rf"(?<![\w.+-])[A-Za-z0-9][\w.+-]{{0,63}}\s?(?:@|\(at\)|\[at\])\s?(?:{_LABEL}\.)+[A-Za-z]{{2,24}}(?![\w@])"
)
# Cheap tests before the patterns: most texts hold no number long enough.
_LONG_NUMBER = re.compile(r"\d(?:(?:[ .()/-]{0,3}\d){6}|[-.]8\d\d[-.])")
_FOUR_DIGITS = re.compile(r"\d[A-Za-z0-9-]*\d[A-Za-z0-9-]*\d[A-Za-z0-9-]*\d")
_ID_WORDS = (
    *("mrn", "ssn", "nhs", "record", "patient", "passport", "security number", "policy", "account", "insurance"),
    *("member id", "chart", "licen", "身份证", "病历", "住院", "护照", "医保", "银行卡"),
)
_PHONE_WORDS = (
    "phone",
    "tel",
    "fax",
    "mobile",
    "cell",
    "whats",
    "line",
    "call",
    "电话",
    "手机",
    "热线",
    "传真",
    "联系",
)
_COUNTRY_AND_CHECK = re.compile(r"[A-Z][A-Z]\d\d")
_PHONE = re.compile(
    # North America: (555) 555-0123, 555-555-0123, 1-800-555-0123, 1-800-FLOWERS
    r"(?<![\w.+-])(?:\+?1[ .-]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d[.-])[2-9]\d\d[ .-]\d{4}"
    r"(?:\s*(?:ext\.?|x)\s*\d{1,6})?(?![\w-]|\.\d)"
    r"|(?<![\w.-])1[-.]8(?:00|33|44|55|66|77|88)[-.](?=(?:[\dA-Z][-.]?){7,11}(?![\w-]))[\dA-Z](?:[-.]?[\dA-Z]){6,10}"
    # International: +49 30 1234567
    r"|(?<![\w)])\+[1-9]\d{0,2}(?:[ .-]?(?:\(\d{1,4}\)|\d{1,5})){2,6}(?![\w]|[.,]\d)"
    # China: mobile 13812345678, fixed line 010-12345678
    r"|(?<![\w.-])(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?![\w-]|\.\d)|(?<![\w.-])0\d{2,3}-\d{7,8}(?![\w-])"
)
_PHONE_AFTER = re.compile(
    r"(?:\b(?:tele)?phone|\btel|\bfax|\bmobile (?:no|number)|\bcell(?:phone| phone| number)|\bwhats ?app"
    r"|\bhotline|\bhelpline|\bcall(?: us| me| him| her)?(?: at| on)?|电话|手机|热线|传真|联系方式)"
    r"(?: number| no)?[.:：]?\s{0,2}(?P<it>\+?\(?\d[\d ().\-/]{5,20}\d)(?![\w]|[.,]\d)",
    re.IGNORECASE,
)
_YEARS = re.compile(r"\(?(?:1[89]|20)\d\d\)?\s*[-/ .]\s*\(?(?:1[89]|20)?\d\d\)?")
_TWO_DOTS = re.compile(r"\.\d{1,3}\.\d")  # begins with a plain character: ten times faster to look for
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_IPV4 = re.compile(rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?!\w|\.\d)")
# What else is written as four numbers: versions, sections, enzyme (EC) and transporter (TC) classes, OIDs.
_VERSION = re.compile(
    r"(?:\bv|version|release|section|chapter|paragraph|table|figure|article|build|\bEC|\bTC|\bOID|§|版本)[\s:.]*\Z",
    re.IGNORECASE,
)
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:]*\d)(?:[0-9A-Fa-f]{1,4}:){2,7}(?::?[0-9A-Fa-f]{1,4}){1,6}(?![\w:])")
_SSN = re.compile(r"(?<![\w.-])(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-]|\.\d)")
_CARD = re.compile(r"(?<![\w.,-])[3-6]\d{3}([ -]?)\d{4}\1\d{4}\1\d{1,7}(?![\w-]|[.,]\d)")
_CHINA_ID = re.compile(
    r"(?<!\w)[1-9]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?!\w)", re.ASCII
)
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
_ID_AFTER = re.compile(
    r"(?:\b(?:MRN|SSN|NHS (?:no|number)|medical record (?:no|number)|patient (?:id|no|number)"
    r"|passport(?: no| number)?|social security number|policy number|account number|insurance (?:id|number)"
    r"|member id|chart number|driver'?s licen[cs]e(?: no| number)?)"
    r"|身份证号?码?|病历号|住院号|护照号码?|医保卡号|银行卡号)"
    r"(?: is|\.|:|：|#|\s){0,4}\s{0,2}"
    r"(?P<it>(?=(?:[A-Za-z-]*\d){4})[A-Za-z0-9][A-Za-z0-9-]{4,24})(?!\w)",
    re.IGNORECASE | re.ASCII,
)


def replace_contacts(text: str, kinds: frozenset[Kind], replace: Replace) -> str:
    """The text with `replace(kind, found)` in the place of every contact of the wanted kinds."""
    if "email" in kinds and ("@" in text or "at)" in text or "at]" in text):
        text = _swap(text, _EMAIL, _always, "email", replace)
    if "ip" in kinds and text.count(".") >= 3 and _TWO_DOTS.search(text):
        text = _swap(text, _IPV4, _is_host, "ip", replace)
    if "ip" in kinds and text.count(":") >= 2:
        text = _swap(text, _IPV6, _is_ipv6, "ip", replace)
    if not kinds & {"id", "phone"}:
        return text
    if _FOUR_DIGITS.search(text):
        lower = text.lower()
        if "id" in kinds and any(word in lower for word in _ID_WORDS):
            text = _swap(text, _ID_AFTER, _always, "id", replace)
        if "id" in kinds and _COUNTRY_AND_CHECK.search(text):
            text = _swap(text, _IBAN, _iban_check, "id", replace)
    if not _LONG_NUMBER.search(text):
        return text
    if "id" in kinds:
        for pattern, holds in _CHECKED:
            text = _swap(text, pattern, holds, "id", replace)
    if "phone" in kinds:
        text = _swap(text, _PHONE, _is_phone, "phone", replace)
        lower = text.lower()
        if any(word in lower for word in _PHONE_WORDS):
            text = _swap(text, _PHONE_AFTER, _is_phone, "phone", replace)
    return text


Holds = Callable[[re.Match[str], str], bool]
"""holds(match, found): whether what a pattern found is really a contact."""


def _swap(text: str, pattern: re.Pattern[str], holds: Holds, kind: Kind, replace: Replace) -> str:
    """Replaces the group "it" of each match that holds, or all of it where the pattern has no such group."""
    group = "it" if "it" in pattern.groupindex else 0

    def swap(match: re.Match[str]) -> str:
        if not holds(match, match[group]):
            return match[0]
        return match[0][: match.start(group) - match.start()] + replace(kind, match[group])

    return pattern.sub(swap, text)


def _digits(text: str) -> list[int]:
    return [int(c) for c in text if c in "0123456789"]


def _always(_match: re.Match[str], _found: str) -> bool:
    return True


def _is_phone(_match: re.Match[str], text: str) -> bool:
    size = len(_digits(text)) + sum(c.isupper() for c in text)
    return (10 if text.startswith("+") else 7) <= size <= 17 and not _YEARS.fullmatch(text.strip())


def _is_host(match: re.Match[str], found: str) -> bool:
    """No version number, and no address that every machine calls itself by."""
    before = match.string[max(0, match.start() - 12) : match.start()]
    octets = [int(octet) for octet in found.split(".")]
    heading = (not before or before.endswith("\n")) and max(octets) < 30
    if heading or _VERSION.search(before):
        return False
    address = ipaddress.IPv4Address(bytes(octets))
    return not (address.is_loopback or address.is_unspecified)


def _is_ipv6(_match: re.Match[str], text: str) -> bool:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified) and text.count(":") >= 3


def _luhn(_match: re.Match[str], text: str) -> bool:
    """Check digit of payment cards (ISO/IEC 7812-1)."""
    digits = _digits(text)
    if not 13 <= len(digits) <= 19:
        return False
    doubled = [d * 2 - 9 if d > 4 else d * 2 for d in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _china_check(_match: re.Match[str], text: str) -> bool:
    """Check character of Chinese resident identity numbers (GB 11643, ISO 7064 MOD 11-2)."""
    total = sum((1 << (17 - i)) * int(c) for i, c in enumerate(text[:17]))
    return "10X98765432"[total % 11] == text[17].upper()


def _iban_check(_match: re.Match[str], text: str) -> bool:
    """Check digits of bank account numbers (ISO 13616, MOD 97-10)."""
    plain = text.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


_CHECKED = ((_CHINA_ID, _china_check), (_SSN, _always), (_CARD, _luhn))
