"""The tables of an account as Prescient's tree of JSON, read as dual write reads them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from friren.accounts import AccountHandle
from friren.errors import ConfigurationError
from trading_engine.data.prescient import TABLES, write_records
from trading_engine.data.storage.postgres import PostgresStorage
from trading_engine.data.storage.stored import reader_of
from trading_engine.data.transfer.shapes import Shaped

__all__ = ["write_prescient"]


def write_prescient(folder: Path, account: AccountHandle | None) -> list[Shaped]:
    """
    Write the tree of an account; tables of which the database holds nothing have no file.

    Raises:
        ConfigurationError: no account is named.
        OSError: the disk refuses.
    """
    if account is None:
        raise ConfigurationError("the shape prescient is that of one account: name it with --account")
    written = []
    with closing(PostgresStorage(account)) as storage:
        for table in TABLES:
            if table.within or reader_of(table.name) is None:
                continue
            records = storage.load(table.name)
            if not records:
                continue
            positions = storage.load("positions") if table.is_document else []
            files = write_records(folder, table, records, positions=positions)
            written += [Shaped(str(file.relative_to(folder)), len(records)) for file in files[:1]]
    return written
