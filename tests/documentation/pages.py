"""Pages and the shell lines on them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SHELLS: Final = frozenset({"sh", "shell", "bash"})
# What a reader does, and so has to be right to the letter.
INSTRUCTIONS: Final = ("README.md", "docs/tutorial/", "docs/how-to/")
MARKERS: Final = frozenset({"not run", "slow", "before", "env", "exit"})

_FENCE: Final = re.compile(r"^(?P<indent> *)```(?P<told>.*)$")
_MARKER: Final = re.compile(r"^<!-- (?P<name>[a-z ]+?): (?P<value>.+) -->$")
_LOOKS_LIKE_SHELL: Final = re.compile(
    r"^(\$ |(sudo |python3? |manage\.py |friren |uv |pip |pg_dump |pg_restore |psql |createdb |curl |apt(-get)? |"
    r"systemctl |docker |age |age-keygen |export |cp |git )\S)"
)


@dataclass
class Line:
    """
    One command, which may go over several lines of its page.

    Attributes:
        number: of its first line on the page, from 1.
        shown: what the page says that it prints; None where it says nothing.
    """

    number: int
    command: str
    shown: list[str] | None = None


@dataclass
class Block:
    """What stands between two fences, and the markers above it."""

    number: int
    language: str
    title: str
    text: list[str]
    markers: list[tuple[str, str]] = field(default_factory=list)

    def marked(self, name: str) -> list[str]:
        return [value for marker, value in self.markers if marker == name]

    @property
    def is_shell(self) -> bool:
        return self.language in SHELLS or self.language == "console"

    @property
    def lines(self) -> list[Line]:
        """The commands of a shell block."""
        return list(_session(self) if self.language == "console" else _script(self))


@dataclass
class Page:
    path: Path
    blocks: list[Block]
    stray: list[tuple[int, str]]
    """Lines that look like shell and stand in no block that says so."""

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def instructs(self) -> bool:
        return self.name.startswith(INSTRUCTIONS)


def pages() -> list[Page]:
    """Every page, README first."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [read_page(path) for path in found]


def read_page(path: Path) -> Page:
    """Take a page apart. A marker that there is none of is a mistake, and so is one above no block."""
    blocks: list[Block] = []
    stray: list[tuple[int, str]] = []
    markers: list[tuple[str, str]] = []
    block: Block | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        fence = _FENCE.match(line)
        if block is not None:
            if fence and not fence["told"]:
                blocks.append(block)
                if not block.language:
                    stray += _looking_like_shell(block)
                block = None
            else:
                block.text.append(line)
        elif fence:
            language, _, rest = fence["told"].strip().partition(" ")
            title = re.search(r'title="([^"]+)"', rest)
            block, markers = Block(number, language, title[1] if title else "", [], markers), []
        elif marker := _MARKER.match(line):
            assert marker["name"] in MARKERS, f"{path}:{number}: there is no marker {marker['name']!r}"
            markers.append((marker["name"], marker["value"]))
        elif line.strip():
            assert not markers, f"{path}:{number}: a marker stands above no block"
            if line.startswith("    ") and _LOOKS_LIKE_SHELL.match(line.strip()):
                stray.append((number, line.strip()))
    assert block is None, f"{path}: a block is not closed"
    return Page(path, blocks, stray)


def _looking_like_shell(block: Block) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(block.text, start=block.number + 1):
        if _LOOKS_LIKE_SHELL.match(line.strip()):
            yield number, line.strip()


def _script(block: Block) -> Iterator[Line]:
    current: Line | None = None
    until = ""
    for number, line in enumerate(block.text, start=block.number + 1):
        if current is not None and (until or current.command.endswith("\\")):
            current.command += f"\n{line}"
            until = "" if line.strip() == until else until
        elif line.strip() and not line.lstrip().startswith("#"):
            if current is not None:
                yield current
            current = Line(number, line)
            heredoc = re.search(r"<<-?\s*['\"]?(\w+)", line)
            until = heredoc[1] if heredoc else ""
    if current is not None:
        yield current


def _session(block: Block) -> Iterator[Line]:
    current: Line | None = None
    for number, line in enumerate(block.text, start=block.number + 1):
        if line.startswith("$ "):
            if current is not None:
                yield current
            current = Line(number, line.removeprefix("$ "), [])
        elif current is not None and current.command.endswith("\\"):
            current.command += f"\n{line}"
        elif current is not None and current.shown is not None:
            current.shown.append(line)
    if current is not None:
        yield current
