"""What the five flags come to, in every combination; the how-to page says the same."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from friren.errors import ConfigurationError
from trading_engine.data.dual_write import read_by, write_by
from trading_engine.data.storage.mode import FLAGS, StorageMode, storage_mode

PAGE = Path(__file__).resolve().parents[5] / "docs/how-to/leave-json-behind.md"
ROW = re.compile(
    r"^\| (–|true|false) \| (–|true|false) \| (–|true|false) \| (–|true|false) \| (–|true|false) \|(.*)\|$"
)
EVERY = list(itertools.product(("–", "true", "false"), repeat=5))


def mode_of(values):
    return storage_mode({name: value for name, value in zip(FLAGS, values, strict=True) if value != "–"})


def said(mode):
    """Return what a row of the page says of a mode."""
    written = " and ".join(
        name for name, does in (("database", mode.write_database), ("files", mode.write_file)) if does
    )
    read = "database" if mode.read_database else "files"
    return [written, read + (", else files" if mode.fallback_to_file else ""), "yes" if mode.warnings else ""]


def rows():
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if match := ROW.match(line):
            found[match.groups()[:5]] = [cell.strip() for cell in match[6].split("|")]
    return found


def test_the_page_has_every_combination_and_none_at_all() -> None:
    assert set(itertools.product(("true", "false"), repeat=5)) | {("–",) * 5} <= set(rows())


@pytest.mark.parametrize(("values", "cells"), rows().items())
def test_the_page_says_what_is_done(values, cells) -> None:
    assert said(mode_of(values)) == cells


@pytest.mark.parametrize("values", EVERY, ids=" ".join)
def test_something_is_written_and_what_is_read_is_written(values) -> None:
    mode = mode_of(values)
    assert mode.write_database or mode.write_file
    assert mode.write_database if mode.read_database else mode.write_file
    assert mode.read_database or not mode.fallback_to_file
    for stage in ("trades", "markets"):
        assert mode.writes_database(stage) == mode.write_database


def test_flags_of_prescient_override_those_of_blueprint() -> None:
    assert storage_mode({"USE_DATABASE_WRITE": "false", "USE_POSTGRES": "true"}).write_database is False
    assert storage_mode({"USE_DATABASE_READ": "false", "USE_POSTGRES": "true", "DUAL_WRITE": "true"}) == StorageMode(
        write_database=True, read_database=False, write_file=True
    )


@pytest.mark.parametrize(
    ("text", "writes"), [("TRUE", True), ("true", True), ("True", True), ("FALSE", False), ("", True)]
)
def test_a_flag_is_read_in_any_case_and_empty_is_not_set(text, writes) -> None:
    assert storage_mode({"USE_DATABASE_WRITE": text}).write_database is writes


def test_what_is_no_flag_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="DUAL_WRITE='maybe'"):
        storage_mode({"DUAL_WRITE": "maybe"})
    with pytest.raises(ConfigurationError, match="FRIREN_STORAGE_STAGES='tradse'"):
        storage_mode({"FRIREN_STORAGE_STAGES": "trades, tradse"})


def test_stages_are_switched_one_by_one_while_files_are_written() -> None:
    flags = {"USE_DATABASE_WRITE": "true", "USE_DATABASE_READ": "true", "FRIREN_STORAGE_STAGES": "trades,history"}
    mode = storage_mode(flags)
    assert [mode.writes_database(stage) for stage in ("trades", "history", "signals", "markets")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert not mode.reads_database("signals")
    # Without files everything is in the database.
    assert storage_mode({**flags, "DUAL_WRITE": "false"}).writes_database("markets")


class Sides:
    """Two functions that note that they were called, and may refuse."""

    def __init__(self, *, broken=()) -> None:
        self.called, self._broken = [], broken

    def _call(self, side, value):
        self.called.append(side)
        if side in self._broken:
            raise OSError(side)
        return side, value

    def file(self, value):
        return self._call("file", value)

    def database(self, value):
        return self._call("database", value)


FILE, BOTH, DATABASE = (
    StorageMode(write_database=False, read_database=False, write_file=True),
    StorageMode(read_database=True, write_file=True, fallback_to_file=True),
    StorageMode(),
)


@pytest.mark.parametrize(
    ("mode", "broken", "called", "returned"),
    [
        (FILE, (), ["file"], "file"),
        (BOTH, (), ["file", "database"], "file"),
        (BOTH, ("database",), ["file", "database"], "file"),
        (BOTH, ("file",), ["file"], OSError),
        (DATABASE, (), ["database"], "database"),
        (DATABASE, ("database",), ["database"], OSError),
    ],
)
def test_a_dual_write_returns_what_counts(mode, broken, called, returned) -> None:
    sides = Sides(broken=broken)
    if returned is OSError:
        with pytest.raises(OSError, match=broken[0]):
            write_by(mode, sides.file, sides.database, 7)
    else:
        assert write_by(mode, sides.file, sides.database, value=7) == (returned, 7)
    assert sides.called == called


@pytest.mark.parametrize(
    ("mode", "broken", "called", "returned"),
    [
        (FILE, (), ["file"], "file"),
        (BOTH, (), ["database"], "database"),
        (BOTH, ("database",), ["database", "file"], "file"),
        (BOTH, ("database", "file"), ["database", "file"], OSError),
        (DATABASE, ("database",), ["database"], OSError),
    ],
)
def test_a_dual_read_falls_back(mode, broken, called, returned) -> None:
    sides = Sides(broken=broken)
    if returned is OSError:
        with pytest.raises(OSError, match=broken[-1]):
            read_by(mode, sides.file, sides.database, 7)
    else:
        assert read_by(mode, sides.file, sides.database, 7) == (returned, 7)
    assert sides.called == called
