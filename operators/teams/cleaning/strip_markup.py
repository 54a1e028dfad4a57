"""Removes what is left of the web page a text was copied from."""

from __future__ import annotations

import re
from functools import partial
from typing import Literal

from pydantic import Field

from operators.data.records import Record
from operators.strategist.space import Team
from operators.teams.base import Context, Operator, Params
from operators.text.boilerplate import remove_boilerplate
from operators.text.code import looks_like_code, outside_code
from operators.text.html import decode_entities, strip_tags
from operators.text.links import may_have_links, remove_links
from operators.text.markdown import has_markdown, may_have_markdown, strip_markdown
from operators.text.spacing import normalise_spaces

_ROUNDS = 4
_LONE_LABEL = re.compile(
    r"(?<![ \t])[ \t]*\b(?:see also|source|sources|link|url|references?)\s*[:：][\s|,;·]*\Z", re.IGNORECASE
)
_EMPTY_BRACKETS = re.compile(r"(?<![ \t])[ \t]*(?:\(\s*\)|\[\s*\]|（\s*）)(?![\w(])")
_ABOUT_MARKUP = re.compile(
    r"\b(?:x?html\d?|xml|css|svg|jsx|latex|xpath|javascript|web ?pages?|markdown)\b|\btags?\b|网页|标签|代码",
    re.IGNORECASE,
)
_ABOUT_LINKS = re.compile(
    r"\b(?:urls?|links?|hyperlinks?|web ?sites?|web ?pages?|domains?)\b|网址|网站|链接", re.IGNORECASE
)


class StripMarkupParams(Params):
    """Parameters of `strip_markup`."""

    html: bool = Field(True, description="Remove HTML tags, comments and scripts, and decode entities")
    markdown: Literal["auto", "all", "none"] = Field(
        "auto",
        description="Remove Markdown headings and emphasis; auto: if few answers (`markdown_norm`) have any",
    )
    markdown_norm: float = Field(
        0.1, ge=0, le=1, description="Share of answers with Markdown from which it is the set's own style"
    )
    links: bool = Field(True, description="Remove addresses, and the words that only lead to one")
    boilerplate: bool = Field(True, description='Remove page furniture such as "click here to read more"')
    phrases: tuple[str, ...] = Field((), description="Further phrases to remove from answers, letter case aside")
    keep_topic: bool = Field(
        True,
        description="Leave tags or links alone where the user asks about HTML and the like, or about links",
    )


class StripMarkup(Operator[StripMarkupParams]):
    """Strips HTML and Markdown residue, links and page furniture; code in Markdown fences stays as it is.

    Only tags that HTML knows are tags: "a < b", "List<String>" and "<patient>" survive, and so does an English
    word such as "<address>" that nothing closes. The cells of a table's row stand in one line, " | " between them.
    Furniture is removed from answers only. What is struck out stays marked (`~~so~~`). Touches all records:
    nothing but residue is lost.
    """

    name = "strip_markup"
    team = Team.CLEANING
    version = 3
    params_type = StripMarkupParams

    def judges_alone(self) -> bool:
        """Unless the set's own style decides about Markdown."""
        return self.params.markdown != "auto"

    def apply(self, records: list[Record], context: Context) -> list[Record]:  # noqa: ARG002
        plain = self._plain_style(records)
        return [self._strip(r, plain) for r in records]

    def _plain_style(self, records: list[Record]) -> bool:
        """Whether Markdown is to go: it is residue where few answers have it, style where many do."""
        if self.params.markdown != "auto":
            return self.params.markdown == "all"
        answers = [m.content for r in records for m in r.messages if m.role == "assistant"]
        return sum(map(has_markdown, answers)) < self.params.markdown_norm * len(answers)

    def _strip(self, record: Record, plain: bool) -> Record:
        p = self.params
        text = record.text
        html = p.html and ("<" in text or "&" in text)
        links = p.links and may_have_links(text)
        if p.keep_topic and (html or links):
            asked = "\n".join(m.content for m in record.messages if m.role != "assistant")
            html = html and not _ABOUT_MARKUP.search(asked)
            links = links and not _ABOUT_LINKS.search(asked)

        def once(content: str, role: str) -> str:
            answer = role == "assistant"
            start = content
            if html and ("&" in content or "<" in content):
                content = strip_tags(decode_entities(content))
                self.count("tags", content != start)
            if links:
                content, n = remove_links(content)
                self.count("links", n)
            if p.boilerplate and answer:
                content, n = remove_boilerplate(content, p.phrases)
                self.count("boilerplate", n)
            if plain and may_have_markdown(content) and not looks_like_code(content):
                content = strip_markdown(content)
            if content == start:
                return content
            return normalise_spaces(_LONE_LABEL.sub("", _EMPTY_BRACKETS.sub("", content)))

        contents = []
        for m in record.messages:
            content = m.content
            for _ in range(_ROUNDS):  # removing one thing can complete another; the end is a fixed point
                changed = outside_code(content, partial(once, role=m.role))
                if changed == content:
                    break
                content = changed
            contents.append(content)
        return record.with_contents(contents)
