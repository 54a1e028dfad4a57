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

# What a number or an address can be part of: digits, the underscore and the letters of Latin, Greek and Cyrillic,
# also accented and full-width. Not those of other scripts, Chinese for one: no space divides them from a contact.
_IN_WORD = (
    r"0-9A-Z_a-z\xaa\xb5\xba\xc0-\xd6\xd8-\xf6\xf8-\u052f\u1e00-\u1fff\uff10-\uff19\uff21-\uff3a\uff41-\uff5a"
)
_LABEL = r"[A-Za-z0-9][A-Za-z0-9-]{0,62}"
_EMAIL = re.compile(
    rf"(?<![{_IN_WORD}.+-])(?!_)[{_IN_WORD}][{_IN_WORD}.+-]{{0,63}}\s?(?:@|\(at\)|\[at\])\s?"
    rf"(?:{_LABEL}\.)+[A-Za-z]{{2,24}}(?![{_IN_WORD}@])"
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
    "tél",
    "handy",
    "móvil",
    "mobil",
    "fax",
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
_WHOLE_NUMBER = 9
"""Digits of a telephone number with its area code, at least."""
_BANK_ACCOUNT = 7
"""Digits of a bank account number, at least; ledgers number their accounts with up to six."""
_COUNTRY_AND_CHECK = re.compile(r"[A-Z][A-Z]\d\d")
_PHONE = re.compile(
    # North America: (555) 555-0123, 555-555-0123, 1-800-555-0123, 1-800-FLOWERS. "300-600 1200 mg" are doses.
    rf"(?<![{_IN_WORD}.+-])(?:\+?1[ .-]?)?"
    r"(?:\([2-9]\d\d\) ?[2-9]\d\d[ .-]|[2-9]\d\d(?P<s>[.-])[2-9]\d\d(?P=s))\d{4}"
    rf"(?:\s*(?:ext\.?|x)\s*\d{{1,6}})?(?![{_IN_WORD}-]|\.\d)"
    rf"|(?<![{_IN_WORD}.-])1[-.]8(?:00|33|44|55|66|77|88)[-.](?=(?:[\dA-Z][-.]?){{7,11}}(?![{_IN_WORD}-]))"
    r"[\dA-Z](?:[-.]?[\dA-Z]){6,10}"
    # International: +49 30 1234567
    rf"|(?<![{_IN_WORD})])\+[1-9]\d{{0,2}}(?:[ .-]?(?:\(\d{{1,4}}\)|\d{{1,5}})){{2,6}}(?![{_IN_WORD}]|[.,]\d)"
    # China: mobile 13812345678, fixed line 010-12345678
    rf"|(?<![{_IN_WORD}.-])(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{{4}}[ -]?\d{{4}}(?![{_IN_WORD}-]|\.\d)"
    rf"|(?<![{_IN_WORD}.-])0\d{{2,3}}-\d{{7,8}}(?![{_IN_WORD}-])"
)
_PHONE_AFTER = re.compile(
    rf"(?:(?<![{_IN_WORD}])(?:(?:tele)?phone|tel(?:efon(?:nummer)?|éfono)?|tél(?:éphone)?|handy(?:nummer)?|móvil|mobil"
    r"|fax|mobile (?:no|number)|cell ?phone|(?P<cells>cell number)"
    r"|whats ?app|hotline|helpline|(?P<calls>call(?: us| me| him| her)?(?: at| on)?))"
    r"|电话|手机|热线|传真|联系方式)"
    rf"(?: number| no)?[.:：\s]{{0,4}}(?P<it>\+?\(?\d[\d ().\-/]{{5,20}}\d)(?![{_IN_WORD}]|[.,]\d)",
    re.IGNORECASE,
)
_YEARS = re.compile(r"\(?(?:1[89]|20)\d\d\)?\s*[-/ .]\s*\(?(?:1[89]|20)?\d\d\)?")
_MONTH, _DAY = r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
# 2024-03-15, 15.03.2024, 03/15/2024; after it the hour, or the end of a period.
_DATE = re.compile(
    rf"\(?(?:(?:19|20)\d\d(?P<a>[-/.]){_MONTH}(?P=a){_DAY}"
    rf"|(?:{_DAY}(?P<b>[-/.]){_MONTH}(?P=b)|{_MONTH}(?P<c>[-/.]){_DAY}(?P=c))(?:19|20)\d\d)\)?"
    r"(?:[ ()./-]+\d{1,4}(?:[-/.]\d{1,4}){0,2})?"
)
_PLAIN_DATE = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_THOUSANDS = re.compile(r"\d{1,3}(?:[ .]\d{3})+")
_MILLIONS = re.compile(r"[1-9]\d*000000")
# What is counted or measured: the number before it is no telephone.
_UNIT = re.compile(
    r"\s?(?:[%‰×°$€£¥￥]|/\s?[^\W\d]|(?:per|times|cells?|copies|[kmnµμ]?g|[kmdµμ]?l|[kmc]?m|IU|units?|shares?|options?"
    r"|bonds?|notes?|barrels?|tonn?es?|(?:US )?dollars?|euros?|pounds?|yuan|yen|won|rupees?"
    r"|francs?|USD|EUR|GBP|CNY|RMB|JPY|people|patients"
    r"|persons)\b|[美港欧日]?元|[円원₹]|人民币|[万亿股吨]|个(?!人))",
    re.IGNORECASE,
)
_CURRENCY = frozenset("$€£¥￥₹")
# Eleven digits that begin like a Chinese mobile number are an amount after these.
_AMOUNT = re.compile(
    r"(?:\b(?:USD|EUR|GBP|CNY|RMB|JPY|KRW|INR|Rs\.?|revenues?|sales|profits?|income|earnings|assets|liabilities|equity"
    r"|costs?|expenses?|turnover|amounts?|totals?)(?:,? (?:was|were|is|are|of|to))?"
    r"|收入|资产|利润|负债|成本|总额|金额|合计)"
    r"[\s:：为是]{0,3}\Z",
    re.IGNORECASE,
)
_TWO_DOTS = re.compile(r"\.\d{1,3}\.\d")  # begins with a plain character: ten times faster to look for
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_IPV4 = re.compile(rf"(?<![{_IN_WORD}.])(?:{_OCTET}\.){{3}}{_OCTET}(?![{_IN_WORD}]|\.\d)")
# What else is written as four numbers: versions, sections, enzyme (EC) and transporter (TC) classes, OIDs.
_VERSION = re.compile(
    r"(?:\bv|versions?|releases?|sections?|chapters?|paragraphs?|tables?|figures?|articles?|builds?|\bEC|\bTC|\bOID|§"
    r"|版本)[\s:.]*\Z",
    re.IGNORECASE,
)
# Parts of laws and documents; one word can stand before several of them ("rules 5.1.2.3 and 5.1.2.4").
_PART = re.compile(
    r"(?:\b(?:(?:sub-?)?(?:sections?|paragraphs?|clauses?)|chapters?|parts?|articles?|rules?|annex(?:es)?|appendix"
    r"|appendices|schedules?|exhibits?|items?|steps?|regulations?|regs?|secs?|paras?|arts?)\b|§|第|条款|章节|附件|附录)"
    r"\.?\s{0,2}(?:[\d.]+(?:,? (?:and|or|to) |[,;/–-] ?|[条款节]?[和至、]))*\Z",
    re.IGNORECASE,
)
_PARTS = 100
"""No law or document has as many parts on one level; hosts often have such a number."""
_HEADING = re.compile(r"(?:\A|\n)(?:#{1,6} )?\Z")
_BEFORE = 60
"""Characters before an address that can tell what it is."""
_IPV6 = re.compile(
    rf"(?<![{_IN_WORD}:.])(?=[0-9A-Fa-f:]*\d)(?:[0-9A-Fa-f]{{1,4}}:){{2,7}}(?::?[0-9A-Fa-f]{{1,4}}){{1,6}}(?![{_IN_WORD}:])"
)
_SSN = re.compile(rf"(?<![{_IN_WORD}.-])(?!000|666|9)\d{{3}}-(?!00)\d\d-(?!0000)\d{{4}}(?![{_IN_WORD}-]|\.\d)")
_CARD = re.compile(rf"(?<![{_IN_WORD}.,-])[3-6]\d{{3}}([ -]?)\d{{4}}\1\d{{4}}\1\d{{1,7}}(?![{_IN_WORD}-]|[.,]\d)")
_CHINA_ID = re.compile(
    r"(?<!\w)[1-9]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?!\w)", re.ASCII
)
_IBAN = re.compile(
    rf"(?<![{_IN_WORD}])[A-Z]{{2}}\d\d(?: ?[A-Z0-9]{{4}}){{2,7}}(?: ?[A-Z0-9]{{1,3}})?(?![{_IN_WORD}])"
)
_ID_AFTER = re.compile(
    r"(?:\b(?:MRN|SSN|NHS (?:no|number)|medical record (?:no|number)|patient (?:id|no|number)"
    r"|passport(?: no| number)?|social security number|policy number|(?P<account>account number)"
    r"|insurance (?:id|number)|member id|chart number|driver'?s licen[cs]e(?: no| number)?)"
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
            text = _swap(text, _ID_AFTER, _is_identity, "id", replace)
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


def _is_phone(match: re.Match[str], text: str) -> bool:
    """No date, and no count or amount of something."""
    size = len(_digits(text)) + sum(c.isupper() for c in text)
    if not (10 if text.startswith("+") else 7) <= size <= 17:
        return False
    if _YEARS.fullmatch(text.strip()) or _DATE.fullmatch(text.strip()):
        return False
    word = match.groupdict()  # empty where the number's form alone tells
    measured = _UNIT.match(match.string, match.end()) is not None
    if word.get("cells") or (word.get("calls") and _THOUSANDS.fullmatch(text)):
        return size >= _WHOLE_NUMBER and not measured and not text.endswith("000")
    if word.get("calls") and (measured or _PLAIN_DATE.fullmatch(text)):
        return False
    amount = (
        measured
        or _MILLIONS.fullmatch(text)
        or match.string[max(0, match.start() - 1) : match.start()] in _CURRENCY
        or (not word.get("it") and _AMOUNT.search(match.string[max(0, match.start() - _BEFORE) : match.start()]))
    )
    return not (text.isdecimal() and amount)


def _is_identity(match: re.Match[str], found: str) -> bool:
    """A short account number is an account of a ledger ("40100 is receivables"), no one's bank account."""
    return not match["account"] or len(_digits(found)) >= _BANK_ACCOUNT


def _is_host(match: re.Match[str], found: str) -> bool:
    """No version or paragraph number, and no address that every machine calls itself by."""
    before = match.string[max(0, match.start() - _BEFORE) : match.start()]
    octets = [int(octet) for octet in found.split(".")]
    heading = _HEADING.search(before) is not None and max(octets) < 30
    if heading or _VERSION.search(before) or (max(octets) < _PARTS and _PART.search(before)):
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
