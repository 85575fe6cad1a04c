"""Text files line by line, whatever their byte order mark, line ends and broken quotes."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from typing import IO, Final

from friren.errors import RejectedRecordError

__all__ = ["LINE_MAX", "decoded", "numbered_lines", "split_cells"]

# Far longer than any line of prices; keeps a file without line ends out of memory.
LINE_MAX: Final = 64 * 1024
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decoded(binary: IO[bytes], *, mark: bytes) -> io.TextIOWrapper:
    """
    Return a text stream over `binary`; `mark` is how the content begins (at least two bytes).

    Bytes that are not UTF-8 stay in the text as lone surrogates: only the cell that holds them is refused.
    """
    encoding = "utf-16" if mark[:2] in _UTF16_MARKS else "utf-8-sig"
    errors = "replace" if encoding == "utf-16" else "surrogateescape"
    return io.TextIOWrapper(binary, encoding=encoding, errors=errors, newline=None)


def numbered_lines(stream: IO[str], longest: int = LINE_MAX) -> Iterator[tuple[int, str | None]]:
    """Yield (number from 1, line without its end); None for a line longer than `longest` characters."""
    number = 0
    while line := stream.readline(longest + 1):
        number += 1
        if len(line) > longest and not line.endswith("\n"):
            while (rest := stream.readline(longest)) and not rest.endswith("\n"):
                pass
            yield number, None
        else:
            yield number, line.removesuffix("\n")


def split_cells(line: str, delimiter: str) -> list[str]:
    """
    Return the cells of one line, spaces around them removed.

    A quote never reaches into the next line, so that an unbalanced one costs one line and not the rest of the file.

    Raises:
        RejectedRecordError: the quotes do not pair.
    """
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, strict=True))]
    except csv.Error as exc:
        raise RejectedRecordError("", line, f"quotes that pair within the line ({exc})") from exc
