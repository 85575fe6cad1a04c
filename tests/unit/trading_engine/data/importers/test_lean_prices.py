"""LEAN zips: scales, zones, and archives that are not what they seem."""

import datetime as dt
import struct
import zipfile
from decimal import Decimal

import pytest

from trading_engine.data.importers import lean_prices
from trading_engine.data.importers.lean_prices import LeanMarket, read_lean
from trading_engine.data.importers.parsed import UnreadableFileError
from trading_engine.data.importers.price_files import read_prices


@pytest.fixture
def pack(tmp_path):
    def write_zip(text, inner="spy.csv", name="spy.zip", folder="", packing=zipfile.ZIP_DEFLATED):
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w", packing) as archive:
            archive.writestr(inner, text)
        return path

    return write_zip


def at(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


DAILY = (
    "20200102 00:00,3235400,3248900,3225300,3248700,59151200\n20200103 00:00,3211600,3236400,3211000,3224100,77709700\n"
)
MINUTE = "34200000,3235400,3236000,3235300,3235500,100\n34260000,3235500,3236000,3235300,3235800,200\n"
COINS = "20200102 00:00,7200.5,7200.5,6924.74,6965.71,64474.1\n20200103 00:00,6965.49,7405,6871.04,7344.96,68674.3\n"


class TestEquities:
    def test_daily_prices_are_ten_thousandths_at_midnight_utc_of_their_date(self, pack):
        parsed = read_lean(pack(DAILY))

        first, second = parsed.bars()

        assert (parsed.symbol, parsed.timeframe, parsed.source) == ("spy", "1d", "lean")
        assert (first.timestamp, first.open, first.close) == (at("2020-01-02"), Decimal("323.54"), Decimal("324.87"))
        assert second.volume == 77709700

    def test_minutes_are_of_new_york_and_named_by_the_inner_file(self, pack):
        parsed = read_prices(pack(MINUTE, inner="20200102_spy_minute_trade.csv", name="20200102_trade.zip"))

        first, second = parsed.bars()

        assert (parsed.symbol, parsed.timeframe) == ("spy", "1m")
        assert (first.timestamp, second.timestamp) == (at("2020-01-02T14:30"), at("2020-01-02T14:31"))

    def test_a_price_below_a_cent_keeps_its_digits(self, pack):
        (first, _) = read_lean(pack(DAILY.replace("3225300", "1"))).bars()

        assert first.low == Decimal("0.0001")

    def test_hours_are_told_from_the_spacing(self, pack):
        hours = DAILY.replace("20200102 00:00", "20200102 09:00").replace("20200103 00", "20200102 10")

        parsed = read_lean(pack(hours))

        assert parsed.timeframe == "1h"
        assert [bar.timestamp for bar in parsed.bars()] == [at("2020-01-02T14:00"), at("2020-01-02T15:00")]


class TestCrypto:
    def test_fractions_mean_that_nothing_is_scaled(self, pack):
        first, _ = read_lean(pack(COINS, inner="btcusd.csv", name="btcusd_trade.zip")).bars()

        assert (first.symbol, first.open, first.timestamp) == ("btcusd", Decimal("7200.5"), at("2020-01-02"))

    def test_minutes_are_of_utc(self, pack):
        path = pack("0,7424.91,7424.91,7422,7422,7.1\n", inner="20180404_btcusd_minute_trade.csv")

        (bar,) = read_lean(path).bars()

        assert bar.timestamp == at("2018-04-04T00:00")

    @pytest.mark.parametrize(("options", "folder"), [({"market": LeanMarket.CRYPTO}, ""), ({}, "crypto/daily")])
    def test_whole_numbers_are_not_scaled_where_the_market_is_known(self, pack, options, folder):
        first, _ = read_lean(pack(DAILY, folder=folder), **options).bars()

        assert first.open == 3235400


class TestArguments:
    def test_symbol_zone_timeframe_and_source_can_be_given(self, pack):
        path = pack(MINUTE, inner="20200102_spy_minute_trade.csv")

        bar = next(read_lean(path, symbol="SPY", timezone="UTC", timeframe="1m", source="vendor").bars())

        assert (bar.symbol, bar.timestamp, bar.source) == ("SPY", at("2020-01-02T09:30"), "vendor")


class TestFaults:
    @pytest.mark.parametrize(
        ("row", "field", "value"),
        [
            ("86400000,1,1,1,1,1", "timestamp", "86400000"),
            ("-1,1,1,1,1,1", "timestamp", "-1"),
            ("9h30,1,1,1,1,1", "timestamp", "9h30"),
            ("60000,1,1,2,1,1", "high", "0.0001"),
            ("60000,1,1,1,,1", "close", ""),
            ("60000,1,1,1,1,-5", "volume", "-5"),
            ("60000,1,1,1,1", "", "60000,1,1,1,1"),
            ("", "", ""),
        ],
    )
    def test_a_broken_row_is_named_by_line_and_the_rest_is_kept(self, pack, row, field, value):
        path = pack(f"0,1,1,1,1,1\n{row}\n120000,1,1,1,1,1\n", inner="20200102_spy_minute_trade.csv")

        parsed = read_lean(path)

        assert len(list(parsed.bars())) == 2
        assert [(issue.line, issue.field, issue.value) for issue in parsed.issues] == [(2, field, value)]

    def test_a_minute_that_the_clock_change_skipped_is_refused(self, pack):
        parsed = read_lean(pack("9000000,1,1,1,1,1\n10800000,1,1,1,1,1\n", inner="20200308_spy_minute_trade.csv"))

        assert [bar.timestamp for bar in parsed.bars()] == [at("2020-03-08T07:00")]
        assert [(issue.line, issue.value) for issue in parsed.issues] == [(1, "9000000")]

    @pytest.mark.parametrize(
        ("text", "inner", "rule"),
        [
            ("20200102 00:00,1,1\n", "spy.csv", "no OHLC columns: 3 columns"),
            (DAILY, "20200102_spy_minute_quote.csv", "holds quotes, not trades"),
            (DAILY, "20201301_spy_minute_trade.csv", "no day of the calendar"),
            (DAILY, "_a_b_c_d.csv", "not named as LEAN"),
            (DAILY, "readme.txt", r"holds one \.csv file, this one 0"),
            ("", "spy.csv", "no time stamp can be read"),
        ],
    )
    def test_what_holds_no_bars_is_told_so(self, pack, text, inner, rule):
        with pytest.raises(UnreadableFileError, match=rule):
            read_lean(pack(text, inner=inner))


class TestArchives:
    def test_two_files_inside(self, pack):
        path = pack(DAILY)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("qqq.csv", DAILY)

        with pytest.raises(UnreadableFileError, match=r"one \.csv file, this one 2"):
            read_lean(path)

    def test_no_zip_at_all(self, tmp_path):
        path = tmp_path / "spy.zip"
        path.write_text(DAILY)

        with pytest.raises(UnreadableFileError, match="damaged or none"):
            read_lean(path)

    def test_a_zip_that_is_not_there(self, tmp_path):
        with pytest.raises(UnreadableFileError, match="cannot be opened"):
            read_lean(tmp_path / "spy.zip")

    def test_a_damaged_byte_is_found_before_any_bar_is_handed_on(self, pack):
        path = pack(DAILY * 50, packing=zipfile.ZIP_STORED)
        content = bytearray(path.read_bytes())
        content[200] ^= 0x01
        path.write_bytes(content)

        with pytest.raises(UnreadableFileError, match="damaged"):
            read_lean(path)

    def test_a_file_cut_off_in_the_middle(self, pack):
        path = pack(DAILY * 50)
        path.write_bytes(path.read_bytes()[:100])

        with pytest.raises(UnreadableFileError, match="damaged"):
            read_lean(path)

    def test_an_encrypted_entry(self, pack):
        path = pack(DAILY)
        content = bytearray(path.read_bytes())
        # Bit 0 of the flags, in the local header and in the central directory, says encrypted.
        content[6] |= 1
        content[content.index(b"PK\x01\x02") + 8] |= 1
        path.write_bytes(content)

        with pytest.raises(UnreadableFileError, match="encrypted"):
            read_lean(path)

    def test_an_unknown_packing(self, pack):
        path = pack(DAILY)
        content = bytearray(path.read_bytes())
        struct.pack_into("<H", content, 8, 99)
        struct.pack_into("<H", content, content.index(b"PK\x01\x02") + 10, 99)
        path.write_bytes(content)

        with pytest.raises(UnreadableFileError, match="cannot be read here"):
            read_lean(path)

    def test_a_bomb_is_refused_unread(self, pack, monkeypatch):
        def never(*_args):
            raise AssertionError("the bomb was unpacked")

        path = pack(b"0" * 20_000_000)
        monkeypatch.setattr(lean_prices, "_data_rows", never)

        with pytest.raises(UnreadableFileError, match="times its packed size is refused"):
            read_lean(path)

    def test_more_than_the_largest_entry_is_refused(self, pack, monkeypatch):
        monkeypatch.setattr(lean_prices, "ENTRY_BYTES_MAX", 50)

        with pytest.raises(UnreadableFileError, match="more than 50 bytes"):
            read_lean(pack(DAILY))
