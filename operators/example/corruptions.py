"""How records of the example set are spoiled: the faults of scraped and hand-copied question/answer sets.

Written apart from `operators.targeting.corruptions`, which train the classifier: nothing is shared, so that
finding these faults is a finding and not a memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import NamedTuple


class Pair(NamedTuple):
    """A question and its answer."""

    question: str
    answer: str


Corruption = Callable[[Pair, Pair, Random], Pair]
"""corruption(pair, another pair of the set, rng) -> the spoiled pair."""


def wrong_answer(pair: Pair, other: Pair, _rng: Random) -> Pair:
    """The answer belongs to another question, as after a misaligned join."""
    return Pair(pair.question, other.answer)


def truncation(pair: Pair, _other: Pair, rng: Random) -> Pair:
    """The answer stops after 15-60 % of its words, as in a preview; sometimes inside a word or with dots."""
    words = pair.answer.split()
    kept = " ".join(words[: max(2, round(len(words) * rng.uniform(0.15, 0.6)))])
    ending = rng.choice(["", "", "...", " ... read more", "cut"])
    if ending == "cut":
        return Pair(pair.question, kept[: -rng.randint(1, 3)].rstrip())
    return Pair(pair.question, kept.rstrip(",;:.(") + ending)


def repetition(pair: Pair, _other: Pair, rng: Random) -> Pair:
    """A sentence, a phrase or a word comes again and again, as from a stuck generator or paste."""
    words = pair.answer.split()
    style = rng.choice(["answer", "phrase", "word"])
    if style == "answer":
        return Pair(pair.question, " ".join([pair.answer] * rng.randint(3, 4)))
    length = 1 if style == "word" else rng.randint(3, 5)
    start = rng.randrange(max(1, len(words) - length))
    loop = words[start : start + length] * rng.randint(8, 14 if style == "phrase" else 20)
    return Pair(pair.question, " ".join(words[:start] + loop + words[start + length :]))


_PAGE = [
    '<div class="def"><p>{0}</p></div>',
    "<p>{0}</p><br/><br/>",
    '<span style="font-size:12px">{0}</span>&nbsp;&nbsp;<a href="{1}">Read more</a>',
    "<li><b>Definition:</b> {0}</li></ul><!-- end entry -->",
    "{0} See also: {1} | {1}?ref=share",
    "## Definition\n\n**{0}**\n\n[Source]({1}) [Edit]({1}/edit)",
    "<td>{0}</td><td><img src='{1}/icon.png'/></td></tr>",
]


def markup(pair: Pair, _other: Pair, rng: Random) -> Pair:
    """Tags, entities and links of the page the answer was copied from, some of them inside the text."""
    url = f"https://www.example.org/terms/{rng.randint(1000, 99999)}"
    words = pair.answer.split()
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(words))
        style = rng.choice(["<i>{0}</i>", '<a href="{1}">{0}</a>', "{0}<br>", "&quot;{0}&quot;", "<sup>{0}</sup>"])
        words[place] = style.format(words[place], url)
    return Pair(pair.question, rng.choice(_PAGE).format(" ".join(words), url))


_JUNK = [
    "★",
    "�",
    "##",
    "~~",
    "¶",
    "||",
    "@@",
    "\u200b",
    "•••",
    "Ã©",
    "â€™",
    "Â",
    "***",
    "^^",
    "▒▒",
    "\\x00",
    "%%",
]


def special_characters(pair: Pair, _other: Pair, rng: Random) -> Pair:
    """Symbols and broken encodings between and inside the words of the answer, sometimes of the question."""

    def spoil(text: str, share: float) -> str:
        words = []
        for word in text.split():
            if rng.random() < share:
                place = rng.randint(0, len(word))
                word = word[:place] + rng.choice(_JUNK) + word[place:]
            words.append(word)
        return " ".join(words) + " " + rng.choice(_JUNK)

    share = rng.uniform(0.15, 0.5)
    question = spoil(pair.question, share) if rng.random() < 0.3 else pair.question
    return Pair(question, spoil(pair.answer, share))


_NAMES = ["j.miller", "info", "support", "dr.evans", "helpdesk", "m.rossi", "contact", "a_novak"]


def contacts(pair: Pair, _other: Pair, rng: Random) -> Pair:
    """E-mail addresses, telephone numbers and host addresses, all from ranges reserved for documentation."""
    mail = f"{rng.choice(_NAMES)}{rng.randint(1, 99)}@example.{rng.choice(['org', 'com', 'net'])}"
    phone = f"{rng.choice(['+1 ', '', '1-'])}(555) 555-01{rng.randint(0, 99):02d}"
    host = f"192.0.2.{rng.randint(1, 254)}"
    line = rng.choice(
        [
            f"Questions? Mail {mail} or call {phone}.",
            f"For an appointment call {phone}, fax {phone}, {mail}",
            f"Posted by {mail} from {host}",
            f"[{host}] {mail} wrote:",
        ]
    )
    return Pair(pair.question, f"{line} {pair.answer}" if rng.random() < 0.4 else f"{pair.answer} {line}")


def missing_answer(pair: Pair, _other: Pair, _rng: Random) -> Pair:
    """The answer's column was empty."""
    return Pair(pair.question, "")


def missing_question(pair: Pair, _other: Pair, _rng: Random) -> Pair:
    """The question's column was empty."""
    return Pair("", pair.answer)


def near_duplicate(pair: Pair, _other: Pair, rng: Random) -> Pair:
    """A second, carelessly edited copy of a record: letter case, spaces, a lost or doubled letter or word."""
    words = pair.answer.split()
    for _ in range(max(1, len(words) // 15)):
        place = rng.randrange(1, len(words) - 1)
        word = words[place]
        edit = rng.choice(["drop", "letter", "double"])
        if edit == "drop":
            words[place] = ""
        elif edit == "letter" and len(word) > 3:
            cut = rng.randrange(1, len(word) - 1)
            words[place] = word[:cut] + word[cut + 1 :]
        else:
            words[place] = f"{word} {word}"
    answer = re.sub(r" +", " ", " ".join(words))
    style = rng.choice(["lower", "spaces", "stop", "comma"])
    if style == "lower":
        return Pair(pair.question.lower(), answer.lower())
    if style == "spaces":
        return Pair(pair.question, answer.replace(" ", "  "))
    if style == "stop":
        return Pair(pair.question.rstrip("?."), answer.rstrip("."))
    return Pair(pair.question, answer.replace(".", " .").replace(",", " ,"))


CORRUPTIONS: dict[str, tuple[Corruption, float]] = {
    "wrong_answer": (wrong_answer, 0.20),
    "truncation": (truncation, 0.16),
    "repetition": (repetition, 0.16),
    "markup": (markup, 0.16),
    "special_characters": (special_characters, 0.10),
    "near_duplicate": (near_duplicate, 0.08),
    "contacts": (contacts, 0.06),
    "missing_answer": (missing_answer, 0.04),
    "missing_question": (missing_question, 0.04),
}
"""Kind -> function and share of the corrupted records. Most weight lies on faults of the answer: a model
learns these, and they make one tuned on the whole set worse than one tuned on its clean half."""
