"""Tables in text files: rows by the names of their header, from CSV of any delimiter and from JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from friren.errors import RejectedRecordError
from trading_engine.data.importers.json_stream import parse_json
from trading_engine.data.importers.lines import LINE_MAX, numbered_lines, split_cells
from trading_engine.data.importers.parsed import Issue, UnreadableFileError, issue_of
from trading_engine.data.importers.records import SourceFile, opened

__all__ = ["Row", "header_of", "is_json_lines", "rows_of"]

# A line of JSON may hold what a model wrote to explain itself.
JSON_LINE_MAX: Final = 1024 * 1024
_DELIMITERS: Final = ",;\t|"


@dataclass(frozen=True, slots=True)
class Row:
    """One row by the names of its columns, and its line."""

    line: int
    values: Mapping[str, Any]


def is_json_lines(path: Path) -> bool:
    """Return whether a file is one of JSON lines, by its name."""
    return path.suffix.casefold() in {".jsonl", ".ndjson"}


def header_of(path: Path) -> tuple[list[str], str]:
    """
    Return the names of the columns and the delimiter; of JSON lines the names in the first line.

    Raises:
        UnreadableFileError: there are none.
    """
    with opened(path) as stream:
        for _line, text in numbered_lines(stream, JSON_LINE_MAX):
            if text is None or not text.strip():
                continue
            if is_json_lines(path):
                first = _parsed(path, text)
                return list(first), ""
            delimiter = max(_DELIMITERS, key=text.count)
            try:
                names = split_cells(text, delimiter)
            except RejectedRecordError as exc:
                raise UnreadableFileError(path, f"the header cannot be read: {exc.rule}") from exc
            twice = sorted({name for name in names if name and names.count(name) > 1})
            if twice:
                raise UnreadableFileError(path, f"the column {twice[0]!r} stands twice in the header")
            return names, delimiter
    raise UnreadableFileError(path, "the file is empty")


def _parsed(path: Path, text: str) -> Mapping[str, Any]:
    try:
        first = parse_json(text)
    except ValueError as exc:
        raise UnreadableFileError(path, f"the first line is no JSON ({exc})") from exc
    if not isinstance(first, dict):
        raise UnreadableFileError(path, "the first line is no JSON object with named values")
    return first


def rows_of(file: SourceFile) -> Iterator[Row | Issue]:
    """Yield the rows of a file, and an Issue for every line that is none. Errors as for `header_of`."""
    if is_json_lines(file.path):
        yield from _json_rows(file)
        return
    names, delimiter = header_of(file.path)
    header = True
    with opened(file.path, file) as stream:
        for line, text in numbered_lines(stream):
            if text is not None and not text.strip():
                continue
            if header:
                header = False
            elif text is None:
                yield Issue(line, "", "", f"a line of at most {LINE_MAX} characters")
            else:
                yield _row(line, text, names, delimiter)


def _row(line: int, text: str, names: list[str], delimiter: str) -> Row | Issue:
    try:
        cells = split_cells(text, delimiter)
    except RejectedRecordError as exc:
        return issue_of(line, exc)
    while len(cells) > len(names) and not cells[-1]:
        cells.pop()
    if len(cells) != len(names):
        return Issue(line, "", text[:120], f"{len(names)} columns as in the header, not {len(cells)}")
    return Row(line, {name: cell or None for name, cell in zip(names, cells, strict=True)})


def _json_rows(file: SourceFile) -> Iterator[Row | Issue]:
    with opened(file.path, file) as stream:
        for line, text in numbered_lines(stream, JSON_LINE_MAX):
            if text is None:
                yield Issue(line, "", "", f"a line of at most {JSON_LINE_MAX} characters")
            elif text.strip():
                try:
                    values = parse_json(text)
                except (ValueError, RecursionError) as exc:
                    yield Issue(line, "", text[:120], f"JSON ({exc})")
                    continue
                if isinstance(values, dict):
                    yield Row(line, values)
                else:
                    yield Issue(line, "", text[:120], "a JSON object with named values is wanted")
