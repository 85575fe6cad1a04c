"""
Prescient's JSON tree: which files there are, what their records hold and in which order; read piece by piece, written
whole or not at all.

    from trading_engine.data.prescient import TABLES, read_records, table_named, write_records

    for path in files_of(root, table_named("trades")):
        for found in read_records(path, table_named("trades")):  # (Place, record), or an Issue
            ...
    write_records(root, table_named("trades"), records)

`root` is the folder that Prescient calls `data/`. A record is a dict under the names of the source, its values exact:
text, Decimal, int, aware datetime, date, bool, or a payload of JSON; None where the source has null or nothing.
"""

from trading_engine.data.prescient.files import (
    append_records,
    files_of,
    place_of,
    read_records,
    write_records,
)
from trading_engine.data.prescient.tables import STAGES, TABLES, Column, Table, register_table, table_named
from trading_engine.data.prescient.values import Place, json_bytes, record_of

__all__ = [
    "STAGES",
    "TABLES",
    "Column",
    "Place",
    "Table",
    "append_records",
    "files_of",
    "json_bytes",
    "place_of",
    "read_records",
    "record_of",
    "register_table",
    "table_named",
    "write_records",
]
