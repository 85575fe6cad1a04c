"""Storages of every make, over one account, and records to save."""

from __future__ import annotations

import pytest

from friren.accounts import open_account
from tests.prescient_tree import Tree
from trading_engine.data.prescient import record_of, table_named
from trading_engine.data.storage import FileStorage, HybridStorage, PostgresStorage, StorageMode

BOTH = StorageMode(write_file=True, fallback_to_file=True)


@pytest.fixture
def book():
    return open_account("prescient", environment="PAPER", position_mode="HEDGING", starting_cash=10_000)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def files(root):
    return FileStorage(root)


@pytest.fixture
def rows(book):
    storage = PostgresStorage(book)
    yield storage
    storage.close()


@pytest.fixture
def hybrid(files, rows):
    return HybridStorage(files, rows, mode=BOTH)


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path / "source")


@pytest.fixture
def agreed():
    """Return records without what file and database need not agree on."""

    def agreed_on(table, records):
        columns = [column.name for column in table_named(table).columns if column.compared]
        return [{name: record_of(table_named(table), record)[0][name] for name in columns} for record in records]

    return agreed_on
