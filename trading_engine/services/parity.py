"""Whether the files and the database say the same, table by table and record by record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from friren.core.numbers import CONTEXT, ZERO
from trading_engine.data.prescient import TABLES, Table, table_named
from trading_engine.data.prescient.tables import Kind
from trading_engine.data.prescient.telling import CLOSED
from trading_engine.data.storage.base import Storage
from trading_engine.data.storage.files import content_of
from trading_engine.data.storage.stored import reader_of

__all__ = ["Difference", "TableParity", "compare", "tables_of"]

# Enough to see what is wrong; the counts are exact.
LISTED_MAX: Final = 100
# A digest of a table is the sum of those of its records: whatever their order.
DIGEST_BITS: Final = 128
DIGEST_BYTES: Final = DIGEST_BITS // 8

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """
    One record that is not the same on both sides.

    Attributes:
        key: what names it.
        field: that differs first, "" where the record is missing on one side.
        file, database: what it says there, as text; None where it is missing.
    """

    key: str
    field: str
    file: str | None
    database: str | None

    def __str__(self) -> str:
        if self.file is None or self.database is None:
            here, there = ("database", "file") if self.file is None else ("file", "database")
            return f"{self.key}: is in the {here}, not in the {there}"
        return f"{self.key}: {self.field} is {self.file} in the file, {self.database} in the database"


@dataclass(slots=True)
class _Side:
    count: int = 0
    sums: dict[str, Decimal] = field(default_factory=dict)
    digest: int = 0
    contents: dict[Key, bytes] = field(default_factory=dict)

    def add(self, table: Table, record: dict[str, Any]) -> None:
        self.count += 1
        for column in table.columns:
            if column.compared and column.kind is Kind.NUMBER and record[column.name] is not None:
                self.sums[column.name] = CONTEXT.add(self.sums.get(column.name, ZERO), record[column.name])
        content = content_of(table, record)
        self.digest = (self.digest + int.from_bytes(content, "big")) % (1 << DIGEST_BITS)
        self.contents[table.key_of(record)] = content


@dataclass(slots=True)
class TableParity:
    """
    What file and database hold of a table.

    Attributes:
        count, sum, digest: by side: records, sums of numbers by column, and the digest of what must agree.
        differing: how many records differ or are missing on one side.
        first_difference: of the record whose key comes first; None where there is none.
        differences: the first of them.
    """

    count: dict[str, int]
    sum: dict[str, dict[str, Decimal]]
    digest: dict[str, str]
    differing: int
    first_difference: Difference | None
    differences: list[Difference]

    @property
    def ok(self) -> bool:
        """Whether both sides say the same."""
        return not self.differing and self.count["file"] == self.count["database"]


def tables_of(names: Sequence[str] = ()) -> list[Table]:
    """
    Return the tables of these names, or all that both sides can hold.

    Raises:
        ConfigurationError: there is no table of that name.
    """
    return [table_named(name) for name in names] or [table for table in TABLES if reader_of(table.name) is not None]


def compare(table: Table, *, files: Storage, database: Storage) -> TableParity:
    """
    Compare a table in the files with the same in the database. Memory: 100 bytes or so a record.

    Raises:
        UnreadableFileError: a file cannot be read, or a record of it breaks a rule.
        DatabaseError: the database does not answer.
    """
    file, held = _Side(), _Side()
    for record in files.iterate(table.name):
        file.add(table, record)
    for record in database.iterate(table.name):
        if not (_may_be_gone(table, record) and table.key_of(record) not in file.contents):
            held.add(table, record)
    differing = sorted(
        key for key in file.contents.keys() | held.contents.keys() if file.contents.get(key) != held.contents.get(key)
    )
    shown = differing[:LISTED_MAX]
    of_file, of_database = (_of(table, side.iterate(table.name), shown) for side in (files, database))
    found = [_difference(table, key, of_file.get(key), of_database.get(key)) for key in shown]
    return TableParity(
        count={"file": file.count, "database": held.count},
        sum={"file": file.sums, "database": held.sums},
        digest={name: side.digest.to_bytes(DIGEST_BYTES, "big").hex() for name, side in _sides(file, held)},
        differing=len(differing) + abs(_repeated(file) - _repeated(held)),
        first_difference=found[0] if found else None,
        differences=found,
    )


def _sides(file: _Side, database: _Side) -> Iterable[tuple[str, _Side]]:
    return (("file", file), ("database", database))


def _repeated(side: _Side) -> int:
    """Return how many records of a side have a key that another has."""
    return side.count - len(side.contents)


def _may_be_gone(table: Table, record: dict[str, Any]) -> bool:
    """Return whether files need not have a record any more: a closed position leaves the portfolio some day."""
    return table.name == "positions" and record["status"] == CLOSED


def _of(table: Table, records: Iterator[dict[str, Any]], keys: Sequence[Key]) -> dict[Key, dict[str, Any]]:
    """Return the records of some keys."""
    wanted = set(keys)
    return {key: record for record in records if (key := table.key_of(record)) in wanted} if wanted else {}


def _difference(table: Table, key: Key, file: dict[str, Any] | None, database: dict[str, Any] | None) -> Difference:
    name = ", ".join(_shown(part) for part in key) or table.name
    if file is None or database is None:
        here, there = ("" if side is not None else None for side in (file, database))
        return Difference(name, "", here, there)
    for column in table.columns:
        told, held = file[column.name], database[column.name]
        if column.compared and (told or None) != (held or None):
            return Difference(name, column.name, _shown(told), _shown(held))
    return Difference(name, "", "written twice", "")


def _shown(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{CONTEXT.normalize(value):f}"
    return "nothing" if value is None else value.isoformat() if hasattr(value, "isoformat") else str(value)
