"""Rows as Parquet, and back: exact for every type that the tables have, readable by whoever reads Parquet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from friren.errors import ArchiveError, ConfigurationError
from friren.operations.archive.settings import COLD_ROWS

__all__ = ["check_installed", "read_rows", "selected", "write_rows"]

_NUMERIC: Final = re.compile(r"numeric\((\d+),(\d+)\)")
# What has no type in Parquet that all readers know is written as PostgreSQL writes it.
_AS_TEXT: Final = frozenset({"uuid", "jsonb", "inet"})


class _Modules(NamedTuple):
    arrow: Any
    parquet: Any


def check_installed(what: str = "--cold") -> _Modules:
    """
    Return pyarrow and its Parquet.

    Args:
        what: needs it, in words.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as exc:
        raise ConfigurationError(f"{what} needs the extra friren[data]: install pyarrow") from exc
    return _Modules(pa, parquet)


def selected(column: str, kind: str) -> str:
    """Return the SQL of a column, quoted, as it is written to a file."""
    return f"{column}::text" if kind in _AS_TEXT else column


def write_rows(path: Path | IO[bytes], columns: Mapping[str, str], rows: Iterator[Sequence[Any]]) -> int:
    """
    Write rows to a file, compressed with zstd; return how many.

    Args:
        columns: PostgreSQL's type by name.

    Raises:
        ArchiveError: a column has a type that is not written.
    """
    arrow, parquet = check_installed()
    schema = arrow.schema([(name, _type(arrow, name, kind)) for name, kind in columns.items()])
    count = 0
    with parquet.ParquetWriter(path, schema, compression="zstd", store_decimal_as_integer=False) as writer:
        for some in _some(rows):
            arrays = [arrow.array([row[place] for row in some], type=field.type) for place, field in enumerate(schema)]
            writer.write_batch(arrow.record_batch(arrays, schema=schema))
            count += len(some)
    return count


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """
    Yield the rows of a file.

    Raises:
        ArchiveError: it is no Parquet, or lacks a column.
    """
    arrow, parquet = check_installed()
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=COLD_ROWS, columns=list(columns)):
                named = {name: batch.column(name).to_pylist() for name in columns}
                yield from zip(*(named[name] for name in columns), strict=True)
    except (arrow.ArrowException, KeyError) as exc:
        raise ArchiveError(f"{path.name} cannot be read as Parquet: {' '.join(str(exc).split())}") from exc


def _some(rows: Iterator[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    some: list[Sequence[Any]] = []
    for row in rows:
        some.append(row)
        if len(some) == COLD_ROWS:
            yield some
            some = []
    if some:
        yield some


def _type(arrow: Any, name: str, kind: str) -> Any:
    simple = {
        "bigint": arrow.int64(), "integer": arrow.int32(), "smallint": arrow.int16(), "boolean": arrow.bool_(),
        "double precision": arrow.float64(), "date": arrow.date32(), "text": arrow.string(), "bytea": arrow.binary(),
        "timestamp with time zone": arrow.timestamp("us", tz="UTC"),
    }  # fmt: skip
    if kind in simple:
        return simple[kind]
    if (numeric := _NUMERIC.fullmatch(kind)) is not None:
        return arrow.decimal128(int(numeric[1]), int(numeric[2]))
    if kind in _AS_TEXT or kind.startswith("character varying"):
        return arrow.list_(arrow.string()) if kind.endswith("[]") else arrow.string()
    if kind == "text[]":
        return arrow.list_(arrow.string())
    raise ArchiveError(f"column {name} is of type {kind}, which is not written to Parquet")
