"""The systems whose files can be imported, by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from trading_engine.data.importers.copy_ai import read_copy_ai
from trading_engine.data.importers.csv_trades import read_csv_trades
from trading_engine.data.importers.freqtrade import read_freqtrade
from trading_engine.data.importers.mapping import Mapped
from trading_engine.data.importers.parsed import UnreadableFileError
from trading_engine.data.importers.polymarket import read_polymarket
from trading_engine.data.importers.prescient import files_below, read_prescient
from trading_engine.data.importers.pyfolio import read_pyfolio
from trading_engine.data.importers.records import ReadFiles
from trading_engine.data.importers.zipline import read_zipline

__all__ = ["SOURCES", "read_files"]

_READERS: Final = {
    "freqtrade": read_freqtrade,
    "pyfolio": read_pyfolio,
    "zipline": read_zipline,
    "copy_ai": read_copy_ai,
    "polymarket": read_polymarket,
    "prescient": read_prescient,
}
SOURCES: Final = (*_READERS, "csv")
# What is looked at where a folder is given.
_SUFFIXES: Final = {
    "freqtrade": (".json", ".zip", ".sqlite", ".db"),
    "pyfolio": (".csv", ".csv.gz"),
    "zipline": (".json",),
    "copy_ai": (".json",),
    "polymarket": (".json", ".json.gz"),
    "prescient": (".json",),
    "csv": (".csv", ".csv.gz", ".tsv", ".jsonl", ".ndjson"),
}


def read_files(
    source: str,
    paths: Sequence[Path],
    *,
    mapped: Mapped | None = None,
    timezone: str | None = None,
    date_format: str | None = None,
) -> ReadFiles:
    """
    Return what is to be imported of files and folders.

    Args:
        source: one of `SOURCES`.
        mapped, timezone, date_format: of the source csv, see `read_csv_trades`.
    """
    files, empty = [], []
    for path in paths:
        if path.is_dir():
            listed = _listed(source, path)
            files += listed
            if not listed:
                empty.append(UnreadableFileError(path, f"no file of {source} ({', '.join(_SUFFIXES[source])})"))
        elif path.is_file():
            files.append(path)
        else:
            empty.append(UnreadableFileError(path, "there is no such file"))
    read = ReadFiles()
    if files and source == "csv":
        read = read_csv_trades(files, mapped=mapped, timezone=timezone, date_format=date_format)
    elif files:
        read = _READERS[source](files)
    read.unreadable = [*empty, *read.unreadable]
    return read


def _listed(source: str, folder: Path) -> list[Path]:
    if source == "prescient":
        return files_below(folder)
    return sorted(one for one in folder.iterdir() if one.name.casefold().endswith(_SUFFIXES[source]))
