"""Prescient's files: read by their rules, written exactly, whole or not at all."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pytest

from friren.errors import ConfigurationError, RejectedRecordError
from tests.prescient_tree import Tree
from trading_engine.data.atomic_files import replacing
from trading_engine.data.importers.parsed import Issue, UnreadableFileError
from trading_engine.data.prescient import (
    TABLES,
    append_records,
    files_of,
    place_of,
    read_records,
    record_of,
    table_named,
    write_records,
)
from trading_engine.data.prescient.telling import shares_of

D = Decimal
LISTS = ["trades", "portfolio_history", "signal_archives", "signals"]
GAMMA = {
    "id": "540206",
    "question": "Will it?",
    "outcomePrices": '["0.0065", "0.9935"]',
    "liquidity": "1758359.76599",
    "volume24hr": 10374216.164318996,
    "events": [{"id": "23656", "title": "The event", "endDate": "2026-02-08T12:00:00Z"}],
}


def records(path, table):
    found = list(read_records(path, table))
    assert not [one for one in found if isinstance(one, Issue)]
    return [record for _place, record in found]


@pytest.fixture
def root(tmp_path):
    return Tree(tmp_path / "data").write()


@pytest.mark.parametrize("name", LISTS)
def test_what_was_read_is_written_and_read_again_the_same(root, tmp_path, name):
    table = table_named(name)
    (source,) = files_of(root, table)
    told = records(source, table)

    (copy,) = write_records(tmp_path / "copy", table, told)

    assert copy.relative_to(tmp_path / "copy") == source.relative_to(root)
    assert records(copy, table) == told


def test_a_portfolio_is_one_document_with_its_positions(root, tmp_path):
    table, within = table_named("portfolio"), table_named("positions")
    (path,) = files_of(root, table)
    (document,) = records(path, table)
    positions = records(path, within)

    (copy,) = write_records(tmp_path, table, [document], positions=positions)

    assert (document["balance"], len(positions)) == (9400, 6)
    assert records(copy, table) == [document]
    assert records(copy, within) == positions


def test_numbers_keep_all_their_digits(tmp_path):
    table = table_named("trades")
    (source,) = files_of(Tree(tmp_path / "data", trades=1).write(), table)
    (trade,) = records(source, table)
    exact = D("99999999999999999999.000000000000000001")

    (copy,) = write_records(tmp_path, table, [{**trade, "amount": exact, "entry_price": D("1E-18")}])

    assert '"amount": 99999999999999999999.000000000000000001' in copy.read_text()
    (again,) = records(copy, table)
    assert (again["amount"], again["entry_price"]) == (exact, D("1E-18"))


def test_a_record_is_added_at_the_end_and_the_others_stay_byte_for_byte(root):
    table = table_named("trades")
    path = place_of(root, table)
    before, told = path.read_bytes(), records(path, table)

    append_records(root, table, [{**told[0], "trade_id": "another"}])

    after = path.read_bytes()
    assert after.startswith(before.rstrip()[:-1].rstrip())
    assert [one["trade_id"] for one in records(path, table)] == [*(one["trade_id"] for one in told), "another"]


@pytest.mark.parametrize("content", ["[]", " [ ]\n", None])
def test_the_first_record_of_a_file(root, content):
    table = table_named("trades")
    path = place_of(root, table)
    (first, *_others) = records(path, table)
    path.unlink()
    if content is not None:
        path.write_text(content)

    append_records(root, table, [first])

    assert records(path, table) == [first]


def test_nothing_is_added_to_a_file_that_is_damaged(root):
    table = table_named("trades")
    path = place_of(root, table)
    (first, *_others) = records(path, table)
    damaged = path.read_bytes()[:-30]
    path.write_bytes(damaged)

    with pytest.raises(UnreadableFileError, match="left as it is"):
        append_records(root, table, [first])

    assert path.read_bytes() == damaged


def test_archives_are_kept_month_by_month(tmp_path):
    table = table_named("signal_archives")
    told = [
        record_of(table, {"archived_at": f"2025-{month}-01T00:00:00", "signals": [{"market_id": month}]})[0]
        for month in ("11", "10", "11")
    ]

    write_records(tmp_path, table, told[:1])
    append_records(tmp_path, table, told[1:])

    assert [path.name for path in files_of(tmp_path, table)] == [
        "signals_archive_2025-10.json",
        "signals_archive_2025-11.json",
    ]
    assert [len(records(path, table)) for path in files_of(tmp_path, table)] == [1, 2]


def test_what_interrupts_a_writing_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "file.json"
    path.write_text("before")

    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b"%d" % (1 // 0))

    assert [each.name for each in tmp_path.iterdir()] == ["file.json"]
    assert path.read_text() == "before"


@pytest.mark.parametrize("name", ["signals_data", "signals"])
def test_the_names_of_the_documentation_and_those_of_the_program_are_read(name):
    told = {"archived_at": "2025-10-20T17:02:45.884042", name: [{"a": 1.5}]}

    record, _place = record_of(table_named("signal_archives"), told)

    assert record["archived_at"] == dt.datetime(2025, 10, 20, 17, 2, 45, 884042, tzinfo=dt.UTC)
    assert (record["archive_month"], record["signals_count"], record["signals_data"]) == ("2025-10", 1, [{"a": 1.5}])


def test_a_market_is_read_as_the_api_writes_it_and_written_back_whole(tmp_path):
    table = table_named("markets")
    record, _place = record_of(table, GAMMA)

    (path,) = write_records(tmp_path, table, [record])

    assert (record["market_id"], record["yes_price"], record["no_price"]) == ("540206", D("0.0065"), D("0.9935"))
    assert (record["liquidity"], record["event_id"]) == (D("1758359.76599"), "23656")
    assert record["event_end_date"] == dt.datetime(2026, 2, 8, 12, tzinfo=dt.UTC)
    assert json.loads(path.read_text()) == [GAMMA]
    assert records(path, table) == [record]


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({}, "event_id"),
        ({"id": "1"}, "title"),
        ({"id": "1", "title": "x", "volume": "1_000"}, "volume"),
        ({"id": "1", "title": "x", "days_until_end": 1.5}, "days_until_end"),
        ({"id": "1", "title": "x", "endDate": "soon"}, "end_date"),
        ({"id": "1", "title": "x", "event_data": "{"}, "event_data"),
        ("no object", ""),
    ],
)
def test_a_broken_value_is_named_by_the_name_of_the_source(told, field):
    with pytest.raises(RejectedRecordError) as caught:
        record_of(table_named("events"), told)

    assert caught.value.field == field


@pytest.mark.parametrize(("content", "rule"), [("{}", "a list"), ("", "empty"), ("[{]", "broken JSON")])
def test_a_file_of_something_else_is_refused(tmp_path, content, rule):
    path = tmp_path / "paper_trades.json"
    path.write_text(content)

    with pytest.raises(UnreadableFileError, match=rule):
        list(read_records(path, table_named("trades")))


def test_shares_are_the_stake_by_the_price_rounded_once():
    assert shares_of({"amount": D(100), "entry_price": D("0.3")}) == D("333.333333333333333333")
    with pytest.raises(RejectedRecordError, match="entry_price"):
        shares_of({"amount": D(100), "entry_price": D("1.01")})


def test_every_table_has_a_name_of_its_own():
    assert len({table.name for table in TABLES}) == len(TABLES)
    with pytest.raises(ConfigurationError, match="must be one of trades"):
        table_named("nothing")
