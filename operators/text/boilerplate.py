"""Sentences that belong to the page a text was copied from, not to the text."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SENTENCE = r"(?:(?<=[.!?。！？])[ \t]*|^[ \t]*)"
_REST = r"[^.!?\n]{0,200}?"
# "To start, click the button." may tell how a pump works.
_LINK = r"(?:here|(?:on )?(?:the|this) (?:link(?: below| above)?|button (?:below|above)))"
# What may follow words that only lead on, or the title of what they lead to. More makes a sentence of its own:
# "Leer más libros mejora la memoria".
_ENDS = r"(?:[ \t]*[:：][^.!?。！？\n]{0,80}|[ \t.…!。！»…›>→]*)$"
_ON_A_SITE = r"(?:on|via|by|with) (?:facebook|twitter|x|linkedin|whatsapp|pinterest|reddit|e-?mail|friends)"
_RULES = (
    # "To see the list, click here.": a sentence that ends in, or begins with, a link that is gone.
    (("click",), rf"{_SENTENCE}{_REST}\bclick {_LINK}[ \t]*+(?:[.!»→›>]+|-+>|$)"),
    (("click",), rf"{_SENTENCE}(?:please )?click {_LINK} (?:to|for)\b[^.!?\n]{{0,200}}[.!]?"),
    # "Read more about X" on a line of its own, "... read more" at the end of one. What has a number or a colon
    # says something itself.
    (
        (" more",),
        r"^[ \t]*[\[(]?(?:read|learn|see|show|view|find out) more\b"
        r"(?:[ \t]+(?:about|at|on|here)\b[^.!?:：\d\n]{0,80})?[ \t]*+[.»→›>\])]*[ \t]*$"
        r"|(?<![ \t])[ \t]*(?:[\[(|»›][ \t]*)?\b(?:read|show|view) more\b[ \t]*+(?:[\])»→›]|>+|-+>)?[ \t]*$",
    ),
    # "For further information consult a dentist online -->"
    (("->",), rf"{_SENTENCE}{_REST}\bconsult an? [^.!?\n]{{1,80}} online\b[^\n\w]{{0,10}}-+>"),
    (
        ("all rights reserved", "copyright", "©"),
        # "Copyright (c) protection lasts" and "All rights reserved to the states" are law, not furniture.
        r"^[ \t]*(?:all rights reserved(?=[ \t]*(?:[.!|©]|$))|(?:copyright[ \t]*(?:©|\(c\))|©)[ \t]*\d{4}\b)"
        r"[^\n]{0,120}$",
    ),
    (
        ("advertisement", "sponsored", "share ", "skip to", "back to top", "print this"),
        r"^[ \t]*(?:advertisements?|sponsored(?: content)?|"
        rf"share (?:this(?: (?:page|article|post|story|link))?(?: {_ON_A_SITE})?|{_ON_A_SITE})"
        r"|skip to (?:main )?content"
        rf"|back to top|print this page){_ENDS}",
    ),
    (
        ("in to ", "newsletter", "related ", "cookies"),
        r"^[ \t]*(?:(?:log|sign) in to (?:reply|comment|vote)[^\n]{0,40}|subscribe to (?:our|the) newsletter"
        r"[^\n]{0,80}|related (?:articles|posts|links):?|(?:we|this (?:web)?site) uses? cookies[^\n]{0,160})"
        r"[ \t.!]*$",
    ),
    (
        ("点击",),
        r"[（(]?(?:请)?点击(?:这里|此处|查看(?:更多|全文|详情)|阅读(?:更多|全文))[^。！？\n]{0,30}[。！]?[）)]?",
    ),
    (
        ("阅读", "查看", "展开全文", "版权所有"),
        rf"^[ \t]*(?:(?:(?:相关)?阅读(?:更多|全文|原文)|查看(?:更多|全文|详情)|展开全文){_ENDS}"
        r"|版权所有(?=[\s\d©:：,，.。]|$)[^\n]{0,40}$)",
    ),
    (
        ("haga clic", "leer más", "cliquez", "lire la suite", "klicken", "weiterlesen", "mehr lesen"),
        r"^[ \t]*(?:(?:haga clic aquí|cliquez ici|hier klicken)[^.!?\n]{0,80}[.!]?$"
        rf"|(?:leer más|lire la suite|weiterlesen|mehr lesen){_ENDS})",
    ),
)
# Looking for a plain word first is a hundred times cheaper than trying the pattern.
_COMPILED = tuple((hints, re.compile(pattern, re.IGNORECASE | re.MULTILINE)) for hints, pattern in _RULES)


def remove_boilerplate(text: str, phrases: Iterable[str] = ()) -> tuple[str, int]:
    """The text without page furniture, and how many pieces there were. `phrases` are further pieces that are
    removed wherever they occur, letter case aside."""
    removed = 0
    lower = text.lower()
    for hints, pattern in _COMPILED:
        if any(hint in lower for hint in hints):
            text, n = pattern.subn("", text)
            removed += n
    for phrase in phrases:
        text, n = re.subn(re.escape(phrase), "", text, flags=re.IGNORECASE)
        removed += n
    return text, removed
