"""
Several prepared statements in one round trip, on Django's own connections. Why: docs/decisions/0028.

psycopg's own pipelines ask the operating system after every statement; here all are handed to libpq, sent, and
waited for once.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg.abc import PQGen
from psycopg.adapt import PyFormat
from psycopg.generators import fetch_many, send
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from friren.persistence.prepared import Prepared, Statement

__all__ = ["Call", "Row", "exchange"]

Row = tuple[Any, ...]
# SQL with psycopg's placeholders and their values, or a statement whose parameters are encoded.
Call = tuple[str, "dict[str, Any] | Sequence[Any]"] | tuple[Statement, "Sequence[bytes | None]"]

_PLACEHOLDER: Final = re.compile(r"%(?:\((\w+)\))?s|%%")
NO_SUCH_STATEMENT: Final = "26000"
_DONE: Final = frozenset({ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK})


def exchange(connection: Any, *calls: Call) -> list[list[Row]]:
    """
    Run statements one after another in one round trip; return the rows of each, none for those that return none.

    After an error nothing that follows is run. Transactions are the caller's, who may send BEGIN and COMMIT; without
    them all statements are one.

    Args:
        connection: of Django, on any alias, in autocommit.
        calls: each statement is parsed and planned once per connection. Values of placeholders are sent as text, so
            that the server infers their type from their place, whatever their Python type.

    Raises:
        django.db.Error: that of the first statement that failed.
    """
    connection.ensure_connection()
    raw = connection.connection
    with connection.wrap_database_errors, raw.lock:
        return _exchange(raw, Prepared.on(raw), calls)


def _exchange(raw: Any, known: Prepared, calls: Sequence[Call]) -> list[list[Row]]:
    # Encoded before anything is sent: a value may be refused here.
    ready = [_encoded(known.transformer, call) for call in calls]
    libpq, prepares = raw.pgconn, raw.prepare_threshold is not None
    # None stands for a preparation, whose result is of no interest unless it failed.
    told: list[bytes | None] = []
    libpq.enter_pipeline_mode()
    for sql, values, formats in ready:
        if not prepares:  # behind a pooler that lends connections by transaction
            libpq.send_query_params(sql, values, param_formats=formats)
        else:
            name = known.names.get(sql)
            if name is None:
                name = known.new_name(sql)
                libpq.send_prepare(name, sql)
                told.append(None)
            libpq.send_query_prepared(name, values, formats)
        told.append(sql)
    libpq.pipeline_sync()
    results = raw.wait(_results(libpq, len(told) + 1))
    libpq.exit_pipeline_mode()
    _raise_first(raw, known, told, results)
    load = known.transformer
    rows = []
    for call, result in zip(told, results, strict=False):
        if call is not None:
            load.set_pgresult(result)
            rows.append(load.load_rows(0, result.ntuples, tuple))
    return rows


def _encoded(transformer: Any, call: Call) -> tuple[bytes, Sequence[Any], Sequence[int] | None]:
    statement, parameters = call
    if isinstance(statement, Statement):
        return statement.sql, parameters, statement.formats  # type: ignore[return-value]  # the call says they are two
    sql, order = _numbered(statement)
    values: Any = [parameters[key] for key in order] if isinstance(parameters, dict) else parameters
    return sql, transformer.dump_sequence(values, _formats(len(values))), None


def _results(libpq: Any, count: int) -> PQGen[list[PGresult]]:
    """Send what libpq holds, and wait for `count` results."""
    yield from send(libpq)
    found = []
    for _ in range(count):
        (result,) = yield from fetch_many(libpq)
        found.append(result)
    return found


def _raise_first(raw: Any, known: Prepared, told: Sequence[bytes | None], results: Sequence[PGresult]) -> None:
    """Raise the first error; it is the others' reason for not having been run."""
    for result in results[:-1]:
        if result.status not in _DONE:
            error = psycopg.errors.error_from_result(result, encoding=raw.info.encoding)
            # psycopg has let go of all that was prepared (it does after a rollback); or a plan no longer holds.
            gone = list(known.names) if error.sqlstate == NO_SUCH_STATEMENT else told
            for sql in gone:
                known.names.pop(sql or b"", None)
            raise error


@functools.lru_cache(maxsize=256)
def _numbered(text: str) -> tuple[bytes, tuple[str, ...]]:
    """Return SQL as the server wants it, and the names of its parameters in order, if they have names."""
    places: dict[str, int] = {}

    def mark(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        return f"${places.setdefault(found[1] or str(len(places)), len(places) + 1)}"

    return _PLACEHOLDER.sub(mark, text).encode(), tuple(places)


@functools.cache
def _formats(count: int) -> list[PyFormat]:
    return [PyFormat.TEXT] * count
