"""JSON documents read piece by piece: what is asked for, each with its line, however long the document is."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import IO, Any, Final, NamedTuple

from friren.errors import FrirenError

__all__ = ["BrokenJsonError", "Item", "Path", "Wish", "asked_for", "parse_json", "path_text", "walk"]

# Read at once; large against an item, small against memory.
CHUNK_CHARACTERS: Final = 256 * 1024
# Far longer than any record of a trade; keeps a document whose brackets do not pair out of memory.
ITEM_CHARACTERS_MAX: Final = 8 * 1024 * 1024
# Deeper than any answer of a venue.
DEPTH_MAX: Final = 32
# In the place of a name: any name or index; any index.
ANY: Final = "*"
ITEM: Final = "[]"

_SPACE: Final = re.compile(r"[ \t\r\n]*")
# Numbers become decimals of their own text, never floats; NaN stays one, for the field that holds it to refuse.
_DECODER: Final = json.JSONDecoder(parse_float=Decimal, parse_constant=Decimal)

Path = tuple[str | int, ...]


class BrokenJsonError(FrirenError):
    """
    What is read is no JSON from here on.

    Attributes:
        line: where.
    """

    def __init__(self, line: int, why: str) -> None:
        self.line, self.why = line, why
        super().__init__(f"line {line}: broken JSON ({why})")


class _TooLongError(BrokenJsonError):
    """A value is longer than what is held in memory."""


class Wish(enum.Enum):
    """What is to be done with a part of a document."""

    TAKE = enum.auto()
    ENTER = enum.auto()
    # Entered if it has members, else taken.
    MEMBERS = enum.auto()
    SKIP = enum.auto()


class Item(NamedTuple):
    """A part of a document, its place, and the line it begins on."""

    line: int
    path: Path
    value: Any


def asked_for(*patterns: Path) -> Callable[[Path], Wish]:
    """Return the wish for the parts whose path fits a pattern: `"*"` is any name or index, `"[]"` any index."""

    def wish(path: Path) -> Wish:
        entered = False
        for pattern in patterns:
            if all(_fits(asked, name) for asked, name in zip(pattern, path, strict=False)):
                if len(pattern) == len(path):
                    return Wish.TAKE
                entered = entered or len(pattern) > len(path)
        return Wish.ENTER if entered else Wish.SKIP

    return wish


def _fits(asked: str | int, name: str | int) -> bool:
    return asked in {ANY, name} or (asked == ITEM and isinstance(name, int))


def path_text(path: Path) -> str:
    """Return a path as people write it: `strategy.Sample.trades[3]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def parse_json(text: str) -> Any:
    """
    Return the value of a short document, numbers as exact decimals.

    Raises:
        ValueError: it is no JSON.
    """
    return _DECODER.decode(text)


def walk(stream: IO[str], wish: Callable[[Path], Wish]) -> Iterator[Item]:
    """
    Yield the parts of one document that `wish` wants to take, in their order.

    Raises:
        BrokenJsonError: it is no JSON from some place on; what stands before it was given.
    """
    text = _Text(stream)
    yield from _walk(text, wish, ())
    if text.peek():
        raise text.broken("more text after the end of the document")


class _Text:
    """A stretch of the document that moves along."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream, self._buffer, self._at, self._ended = stream, "", 0, False
        self.line = 1

    def peek(self) -> str:
        """Return the next character that is no space, "" at the end."""
        while True:
            found = _SPACE.match(self._buffer, self._at)
            self._move(found.end() if found else self._at)
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._read():
                return ""

    def pass_by(self, character: str) -> None:
        """Move past a character, which must be the next."""
        if (found := self.peek()) != character:
            raise self.broken(f"{character} is wanted, not {found or 'the end'}")
        self._move(self._at + 1)

    def value(self) -> Any:
        """Return the next value and move past it."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
            except RecursionError as exc:
                raise self.broken("nested too deep") from exc
            except ValueError as exc:
                # It may only be that the value goes on in what was not read yet.
                if self._ended or not self._room() or not self._read():
                    raise self._error(exc) from exc
            else:
                # A number could go on, too.
                if end < len(self._buffer) or not self._read():
                    self._move(end)
                    return value

    def broken(self, why: str) -> BrokenJsonError:
        """Return the error that the document is broken where it was read to."""
        return BrokenJsonError(self.line, why)

    def _room(self) -> bool:
        return len(self._buffer) - self._at <= ITEM_CHARACTERS_MAX

    def _error(self, exc: ValueError) -> BrokenJsonError:
        at = min(getattr(exc, "pos", self._at), len(self._buffer))
        line = self.line + self._buffer.count("\n", self._at, at)
        if not self._ended:
            return _TooLongError(line, f"a value of more than {ITEM_CHARACTERS_MAX} characters, or {exc}")
        return BrokenJsonError(line, getattr(exc, "msg", str(exc)))

    def _move(self, to: int) -> None:
        self.line += self._buffer.count("\n", self._at, to)
        self._at = to

    def _read(self) -> bool:
        if self._ended:
            return False
        more = self._stream.read(CHUNK_CHARACTERS)
        self._ended = not more
        self._buffer, self._at = self._buffer[self._at :] + more, 0
        return bool(more)


def _walk(text: _Text, wish: Callable[[Path], Wish], path: Path) -> Iterator[Item]:
    wanted, first = wish(path), text.peek()
    line = text.line
    if wanted is Wish.TAKE:
        yield Item(line, path, text.value())
    elif first not in {"{", "["}:
        value = text.value()
        if wanted is Wish.MEMBERS:
            yield Item(line, path, value)
    elif wanted is Wish.SKIP:
        try:
            text.value()
        except _TooLongError:
            # What is skipped is walked through where it is too long to be held.
            yield from _members(text, wish, path, first)
    else:
        yield from _members(text, wish, path, first)


def _members(text: _Text, wish: Callable[[Path], Wish], path: Path, first: str) -> Iterator[Item]:
    if len(path) >= DEPTH_MAX:
        raise text.broken(f"more than {DEPTH_MAX} levels deep")
    last = "}" if first == "{" else "]"
    text.pass_by(first)
    index = 0
    while text.peek() != last:
        if index:
            text.pass_by(",")
        name: str | int = index
        if first == "{":
            name = text.value()
            if not isinstance(name, str):
                raise text.broken("a name in quotes is wanted")
            text.pass_by(":")
        yield from _walk(text, wish, (*path, name))
        index += 1
    text.pass_by(last)
