"""Statements that the server keeps prepared, on Django's own connections."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import psycopg
from psycopg import adapt, generators, pq
from psycopg.errors import error_from_result
from psycopg.types.datetime import TimestamptzLoader

__all__ = ["Prepared", "Statement", "fetch_light", "run_statement"]

_read_json: Final = msgspec.json.Decoder().decode


@dataclasses.dataclass(frozen=True, slots=True)
class Statement:
    """
    A statement whose parameters are given as PostgreSQL reads them, see friren.persistence.wire.

    Attributes:
        sql: with parameters as $1, $2, …
        formats: of the parameters, in their order.
    """

    sql: bytes
    formats: tuple[int, ...]


class Prepared:
    """The statements that a connection has prepared. No name is used twice: what is forgotten may live on there."""

    def __init__(self, raw: Any) -> None:
        self.names: dict[bytes, bytes] = {}
        self.transformer = adapt.Transformer.from_context(raw)
        self._last = 0

    @classmethod
    def on(cls, raw: Any) -> Prepared:
        """Return those of a connection of psycopg's."""
        known: Prepared | None = getattr(raw, "friren_prepared", None)
        if known is None:
            known = raw.friren_prepared = cls(raw)
        return known

    def new_name(self, sql: bytes) -> bytes:
        """Return a name under which `sql` is to be prepared."""
        self._last += 1
        name = self.names[sql] = b"friren_%d" % self._last
        return name


def fetch_light(connection: Any, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """
    Run a prepared query and return its rows, JSON read.

    Django's own cursors bind on the client and never prepare: the server would parse and plan each query anew. And
    Django has its connections read times by code of its own, one by one; psycopg's gives the same in UTC.

    Args:
        connection: of Django, on any alias.
    """
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        for name, loader in _LOADERS:
            cursor.adapters.register_loader(name, loader)
        return cursor.execute(sql, parameters).fetchall()


def run_statement(connection: Any, statement: Statement, parameters: Sequence[bytes | None]) -> int:
    """
    Run a statement, and return how many rows it gave.

    Where it is a transaction of its own this is done below psycopg's cursors: they cost more than everything else
    that a record takes in this process.

    Args:
        connection: of Django, on any alias, inside a transaction or not.
        parameters: in the formats of the statement.

    Raises:
        DatabaseError: as from any cursor.
    """
    if connection.connection is None:
        connection.ensure_connection()
    if connection.needs_rollback:
        connection.validate_no_broken_transaction()
    try:
        if connection.connection.autocommit:
            return _run(connection.connection, statement, parameters)
        return _run_by_cursor(connection.connection, statement, parameters)
    except psycopg.Error:
        with connection.wrap_database_errors:
            raise


def _run(connection: psycopg.Connection[Any], statement: Statement, parameters: Sequence[bytes | None]) -> int:
    pgconn = connection.pgconn
    if connection.prepare_threshold is None:  # behind a pooler that lends connections by transaction
        pgconn.send_query_params(statement.sql, parameters, param_formats=statement.formats)
        return _answer(connection)
    known = Prepared.on(connection)
    try:
        return _execute(connection, statement, parameters, known)
    except psycopg.errors.InvalidSqlStatementName:
        # psycopg drops all statements after a ROLLBACK. Nothing was executed: prepare it again.
        known.names.clear()
        return _execute(connection, statement, parameters, known)
    except psycopg.errors.FeatureNotSupported:
        # "cached plan must not change result type", after an ALTER TYPE: who asks next has a connection without plans.
        connection.close()
        raise


def _execute(
    connection: psycopg.Connection[Any], statement: Statement, parameters: Sequence[bytes | None], known: Prepared
) -> int:
    pgconn = connection.pgconn
    name = known.names.get(statement.sql)
    if name is None:
        name = known.new_name(statement.sql)
        try:
            pgconn.send_prepare(name, statement.sql)
            _answer(connection)
        except BaseException:  # whatever it is, nobody may count on it
            known.names.pop(statement.sql, None)
            raise
    pgconn.send_query_prepared(name, parameters, statement.formats)
    return _answer(connection)


def _answer(connection: psycopg.Connection[Any]) -> int:
    result = connection.wait(generators.execute(connection.pgconn))[-1]
    if result.status not in {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}:
        raise error_from_result(result, encoding=connection.info.encoding)
    found: int = result.ntuples
    return found


def _run_by_cursor(
    connection: psycopg.Connection[Any], statement: Statement, parameters: Sequence[bytes | None]
) -> int:
    forms = {pq.Format.TEXT: _TextForm, pq.Format.BINARY: _BinaryForm}
    given = [
        None if value is None else forms[pq.Format(form)](value)
        for value, form in zip(parameters, statement.formats, strict=True)
    ]
    with psycopg.RawCursor(connection) as cursor:
        return len(cursor.execute(statement.sql, given).fetchall())


class _JsonLoader(adapt.Loader):
    """Reads JSON into trees."""

    def load(self, data: Any) -> Any:
        return _read_json(data)


_LOADERS: Final = (("jsonb", _JsonLoader), ("json", _JsonLoader), ("timestamptz", TimestamptzLoader))


class _TextForm(bytes):
    """A parameter as it is sent, in text."""


class _BinaryForm(bytes):
    """A parameter as it is sent, in binary."""


class _TextDumper(adapt.Dumper):
    """Sends it as it is; of what type it is, the server knows from its place."""

    def dump(self, obj: bytes) -> bytes:
        return obj


class _BinaryDumper(_TextDumper):
    """The same in binary."""

    format = pq.Format.BINARY


psycopg.adapters.register_dumper(_TextForm, _TextDumper)
psycopg.adapters.register_dumper(_BinaryForm, _BinaryDumper)
