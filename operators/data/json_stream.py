"""Rows out of one large JSON document without building the document in memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

from operators.errors import DataError

_SPACE = re.compile(r"[ \t\r\n]*")
_AFTER = tuple(",:]} \t\r\n")
_CHUNK = 1 << 20


class JsonRows:
    """Iterates over (value, its JSON text) of a top-level array, or of the one list in a top-level object.

    After the iteration `list_key` and `envelope` hold what the object had besides the list. `limit` is the
    longest element, in characters. Raises DataError where the text is no such document: inside a broken
    document there is no telling where the next row begins.
    """

    def __init__(self, stream: TextIO, uri: str, limit: int) -> None:
        self.list_key: str | None = None
        self.envelope: dict[str, Any] = {}
        self._stream, self._uri, self._limit = stream, uri, limit
        self._text, self._at, self._ended = "", 0, False
        self._decode = json.JSONDecoder().raw_decode
        self._row = 0

    def __iter__(self) -> Iterator[tuple[Any, str]]:
        opening = self._peek()
        if opening == "[":
            yield from self._elements()
        elif opening == "{":
            yield from self._members()
        else:
            raise self._broken("expected an array of rows, or an object with one list of rows")
        if self._peek():
            raise self._broken("something follows the end of the document")

    def _members(self) -> Iterator[tuple[Any, str]]:
        self._at += 1
        if self._peek() != "}":
            while True:
                key, _ = self._value()
                if not isinstance(key, str) or self._peek() != ":":
                    raise self._broken("expected a key and a colon")
                self._at += 1
                if self._peek() != "[":
                    self.envelope[key] = self._value()[0]
                elif self.list_key is not None:
                    raise DataError(
                        f"{self._uri}: the object holds more than one list; keep only the list of rows"
                    )
                else:
                    self.list_key = key
                    yield from self._elements()
                if not self._comma("}"):
                    break
        else:
            self._at += 1
        if self.list_key is None:
            raise DataError(f"{self._uri}: the object holds no list of rows; expected an array of rows")

    def _elements(self) -> Iterator[tuple[Any, str]]:
        self._at += 1
        if self._peek() == "]":
            self._at += 1
            return
        while True:
            self._row += 1
            yield self._value()
            if not self._comma("]"):
                return

    def _comma(self, closing: str) -> bool:
        mark = self._peek()
        if mark not in (",", closing):
            raise self._broken(f"expected a comma or {closing!r}")
        self._at += 1
        return mark == ","

    def _value(self) -> tuple[Any, str]:
        if not self._peek():
            raise self._broken("it ends too early")
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except RecursionError:
                raise self._broken("it is nested too deeply") from None
            except ValueError:
                # Broken, or only cut off by the end of the buffer: more text tells.
                if self._ended or len(self._text) - self._at > self._limit:
                    raise self._broken("the value is broken, or too long") from None
                self._more()
                continue
            # A number at the end of the buffer may go on behind it: "1" may be "1.5", and "1." too.
            if self._ended or self._text[end : end + 1] in _AFTER or len(self._text) - self._at > self._limit:
                text = self._text[self._at : end]
                self._at = end
                return value, text
            self._more()

    def _peek(self) -> str:
        """The next character that is not white space; "" at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._more()

    def _more(self) -> None:
        # Doubling keeps a value of any length from being decoded from its start more than a few times.
        kept = self._text[self._at :]
        read = self._stream.read(max(_CHUNK, len(kept)))
        self._ended = not read
        self._text, self._at = kept + read, 0

    def _broken(self, what: str) -> DataError:
        place = f" at row {self._row}" if self._row else ""
        return DataError(f"{self._uri}: not valid JSON{place}: {what}; mend the file, or give JSON lines")
