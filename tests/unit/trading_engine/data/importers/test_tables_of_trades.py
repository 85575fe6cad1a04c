"""Columns of any table are told by a mapping or by their names, and where two could be meant both are named."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from trading_engine.data.importers.mapping import columns_of, read_mapping
from trading_engine.data.importers.ordinals import Ordinals
from trading_engine.data.importers.parsed import Issue, UnreadableFileError
from trading_engine.data.importers.sources import read_files

D = Decimal


@pytest.fixture
def write(tmp_path):
    def write_file(text, name="fills.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_file


def told_of(path, **options):
    read = read_files("csv", [path], **options)
    if read.unreadable:
        raise read.unreadable[0]
    return [one if isinstance(one, Issue) else one.told[0].keywords for one in read.files[0]]


def test_a_table_tells_by_the_names_of_its_columns(write):
    path = write("Date/Time;Symbol;Side;Qty;Fill Price;Fee;Trade ID\n2026-01-05 14:30;AAPL;BOT;10;187.32;1;77\n")

    assert told_of(path) == [
        {
            "timestamp": dt.datetime(2026, 1, 5, 14, 30, tzinfo=dt.UTC),
            "symbol": "AAPL", "action": "buy", "quantity": D(10), "price": D("187.32"), "commission": D(1),
            "venue": "csv", "external_id": "77",
        }
    ]  # fmt: skip


def test_without_a_column_of_actions_the_sign_tells(write):
    path = write("date,ticker,shares,price\n2026-01-05,AAPL,-10,187.32\n2026-01-05,AAPL,4,187\n")

    sell, buy = told_of(path)

    assert (sell["action"], sell["quantity"], buy["action"], buy["quantity"]) == ("sell", 10, "buy", 4)
    assert sell["external_id"] == "2026-01-05T00:00:00+00:00:AAPL:0"
    assert buy["external_id"] == "2026-01-05T00:00:00+00:00:AAPL:1"


def test_a_mapping_names_columns_values_and_defaults(write):
    mapping = write(
        '[columns]\ntimestamp = "T"\nsymbol = "S"\nquantity = "Q"\nprice = "P"\naction = "D"\ncommission = "F"\n'
        '[values.action]\nK = "buy"\nV = "sell"\n[defaults]\nvenue = "IBKR"\nstrategy_used = "mine"\n'
        '[format]\ntimezone = "America/New_York"\ndate_format = "DMY"\nnegative_commission = true\n',
        "mapping.toml",
    )
    path = write("T,S,Q,P,D,F\n05/01/2026 09:30,AAPL,10,187.32,K,-0.35\n")

    (told,) = told_of(path, mapped=read_mapping(mapping))

    assert told["timestamp"] == dt.datetime(2026, 1, 5, 14, 30, tzinfo=dt.UTC)
    assert (told["action"], told["commission"], told["venue"]) == ("buy", D("0.35"), "IBKR")
    assert told["strategy_used"] == "mine"


def test_json_lines_are_rows_too_and_a_broken_line_costs_only_itself(write):
    path = write(
        '{"time": "2026-01-05T14:30:00Z", "symbol": "BTC", "side": "sell", "qty": 0.1, "price": 1e5}\n'
        '{"time": "2026-01-05T14:31:00Z", "symbol": \n'
        '{"time": "2026-01-05T14:32:00Z", "symbol": "BTC", "side": "buy", "qty": 0.10, "price": 100000.5}\n',
        "fills.jsonl",
    )

    first, broken, third = told_of(path)

    assert (first["quantity"], first["price"]) == (D("0.1"), D(100000))
    assert (broken.line, broken.rejected) == (2, True)
    assert third["price"] == D("100000.5")


def test_lines_of_json_leave_out_what_they_have_no_value_for(write):
    line = '"time": "2026-01-05T14:30:00Z", "symbol": "BTC", "qty": 1, "price": 2'
    path = write(f'{{{line}}}\n{{{line}, "fee": 0.1}}\n{{{line}, "date": "x"}}\n{{"symbol": "BTC"}}\n', "fills.jsonl")
    mapping = read_mapping(write('[columns]\ncommission = "fee"\ntimestamp = "time"\n', "mapping.toml"))

    guessed, mapped = told_of(path), told_of(path, mapped=mapping)

    assert [type(one).__name__ for one in guessed] == ["dict", "dict", "Issue", "Issue"]
    assert "no column for timestamp, quantity, price" in guessed[3].rule
    for told in (guessed, mapped):
        assert told[0].get("commission") is None
        assert told[1]["commission"] == D("0.1")
    assert mapped[2]["timestamp"] == mapped[0]["timestamp"]


def test_a_day_and_a_time_are_one_moment_by_their_names_or_a_mapping(write):
    path = write("Time,Date,symbol,qty,price,note\n14:30,05/01/2026,A,1,2,x\n14:30,13/01/2026,A,1,2,\n")
    mapping = read_mapping(write('[columns]\ntimestamp = ["Day", "At"]\n', "mapping.toml"))

    read = read_files("csv", [path])

    assert told_of(path)[0]["timestamp"] == dt.datetime(2026, 1, 5, 14, 30, tzinfo=dt.UTC)
    assert read.skipped == [(path, "no field is made of the columns note")]
    other = write("Day,At,symbol,qty,price\n2026-01-05,14:30,A,1,2\n", "other.csv")
    assert told_of(other, mapped=mapping)[0]["timestamp"] == dt.datetime(2026, 1, 5, 14, 30, tzinfo=dt.UTC)


def test_a_row_that_is_mended_keeps_the_name_it_would_have_had(write):
    rows = "2026-01-05,A,{},1\n2026-01-05,A,3,1\n"
    broken = told_of(write("date,symbol,qty,price\n" + rows.format("x")))
    mended = told_of(write("date,symbol,qty,price\n" + rows.format("2")))

    assert isinstance(broken[0], Issue)
    assert broken[1]["external_id"] == mended[1]["external_id"] == "2026-01-05T00:00:00+00:00:A:1"


def test_a_table_without_rows_is_no_fault(write):
    assert told_of(write("date,symbol,qty,price\n")) == []


def test_days_written_both_ways_are_settled_by_the_whole_file_or_asked_for(write):
    settled = write("date,symbol,qty,price\n3/4/2026,A,1,1\n3/14/2026,A,1,1\n")
    assert told_of(settled)[0]["timestamp"].month == 3

    open_ = write("date,symbol,qty,price\n3/4/2026,A,1,1\n")
    with pytest.raises(UnreadableFileError, match="--date-format"):
        told_of(open_)
    assert told_of(open_, date_format="DMY")[0]["timestamp"].month == 4


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("date,timestamp,symbol,qty,price", "'date' and 'timestamp' could both be timestamp"),
        ("date,symbol,qty,amount,price", "'qty' and 'amount' could both be quantity"),
        ("date,symbol,qty", "no column for price among date, symbol, qty"),
        ("a,b,c", "no column for timestamp, symbol, quantity, price"),
        ("date,symbol,qty,price,price", "'price' stands twice"),
        ("", "empty"),
    ],
)
def test_what_the_header_leaves_open_is_asked_for_by_name(write, header, said):
    with pytest.raises(UnreadableFileError, match=said):
        told_of(write(header + "\n"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[column]\n", "no section 'column'"),
        ('[columns]\nprise = "P"\n', "no field in columns 'prise'"),
        ("[columns\n", "no mapping in TOML"),
        ('[format]\ntimezone = "Mars"\n', "timezone='Mars'"),
        ('[values]\naction = "buy"\n', r"\[values.action\]"),
    ],
)
def test_a_wrong_mapping_says_what_is_wrong(write, text, said):
    with pytest.raises(UnreadableFileError, match=said):
        read_mapping(write(text, "mapping.toml"))


def test_a_mapping_names_a_column_that_is_there(write):
    mapping = read_mapping(write('{"columns": {"price": "Px"}}', "mapping.json"))

    with pytest.raises(UnreadableFileError, match="no column 'Px' for price; there are date, symbol, qty, price"):
        columns_of(write(""), ["date", "symbol", "qty", "price"], mapping)


def test_records_without_a_name_are_numbered_by_what_they_have_in_common():
    with Ordinals() as ordinals:
        assert [ordinals.next(key) for key in ("a", "b", "a", "a", "b")] == [0, 0, 1, 2, 1]
