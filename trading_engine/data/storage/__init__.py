"""
Where a system's tables are kept: in its files, in PostgreSQL, or in both while it leaves the files behind.

    from trading_engine.data.storage import storage_for

    with storage_for("prescient") as storage:
        storage.save("trades", [trade])
        storage.load("trades")
"""

from trading_engine.data.storage.base import Side, Storage, Written
from trading_engine.data.storage.files import FileStorage
from trading_engine.data.storage.hybrid import HybridStorage, storage_for
from trading_engine.data.storage.mode import StorageMode, current_mode, json_root, storage_mode
from trading_engine.data.storage.postgres import PostgresStorage

__all__ = [
    "FileStorage",
    "HybridStorage",
    "PostgresStorage",
    "Side",
    "Storage",
    "StorageMode",
    "Written",
    "current_mode",
    "json_root",
    "storage_for",
    "storage_mode",
]
