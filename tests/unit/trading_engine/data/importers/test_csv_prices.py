"""CSV files as people have them, and what is said of each fault."""

import datetime as dt
from decimal import Decimal

import pytest

from friren.errors import RejectedRecordError
from trading_engine.data.importers import csv_prices
from trading_engine.data.importers.csv_prices import read_csv
from trading_engine.data.importers.lines import LINE_MAX
from trading_engine.data.importers.parsed import Issue, UnreadableFileError


@pytest.fixture
def write(tmp_path):
    def write_file(text, name="spy_daily.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return path

    return write_file


def at(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def read(path, **options):
    parsed = read_csv(path, **options)
    return list(parsed.bars()), parsed


def stamps(bars):
    return [f"{bar.timestamp:%Y-%m-%dT%H:%M:%S}" for bar in bars]


HEADER = "date,open,high,low,close,volume\n"


class TestColumns:
    @pytest.mark.parametrize(
        "header",
        [
            "Date,Open,Close,High,Low,Volume",
            "DATE;OPEN;CLOSE;HIGH;LOW;VOL",
            "<DATE>\t<OPEN>\t<CLOSE>\t<HIGH>\t<LOW>\t<TICKVOL>",
            " date , 1. open, 4. close,2. high,3. low,5. volume",
            "Date,SPY.Open,SPY.Close,SPY.High,SPY.Low,SPY.Volume",
            "timestamp|SPY Open|SPY Close|SPY High|SPY Low|SPY Volume",
            "Open Time,o,c,h,l,v",
            ",Open,Close,High,Low,Volume",
            "Unnamed: 0,Open,Close,High,Low,Volume",
            '"Date","Open","Close/Last","High","Low","Volume"',
        ],
    )
    def test_are_found_by_name_in_any_order_and_spelling(self, write, header):
        delimiter = next(mark for mark in ",;\t|" if mark in header)
        row = delimiter.join(("2020-01-02", "1", "2", "3", "0.5", "7"))

        bars, parsed = read(write(f"{header}\n{row}\n"))

        (bar,) = bars
        assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (1, 3, Decimal("0.5"), 2, 7)
        assert parsed.issues == []

    def test_adjusted_close_is_never_taken_for_the_close(self, write):
        bars, _ = read(write("Date,Adj Close,Open,High,Low,Close\n2020-01-02,1.5,1,3,0.5,2\n"))

        assert (bars[0].close, bars[0].adjusted_close) == (2, Decimal("1.5"))

    def test_previous_close_is_never_taken_for_the_close(self, write):
        bars, _ = read(write("Date,Prev Close,Open,High,Low,Close\n2020-01-02,9,1,3,0.5,2\n"))

        assert bars[0].close == 2

    def test_date_and_time_in_columns_of_their_own_are_joined(self, write):
        text = "Date,Time,Open,High,Low,Close\n2020.01.02,09:30,1,3,0.5,2\n2020.01.02,09:31,1,3,0.5,2\n"

        bars, parsed = read(write(text))

        assert stamps(bars) == ["2020-01-02T09:30:00", "2020-01-02T09:31:00"]
        assert parsed.timeframe == "1m"

    def test_no_volume_column_is_noted_once(self, write):
        bars, parsed = read(write("date,open,high,low,close\n2020-01-02,1,3,0.5,2\n2020-01-03,1,3,0.5,2\n"))

        assert [bar.volume for bar in bars] == [0, 0]
        assert parsed.issues == [Issue(1, "volume", "", "no such column: stored as 0", rejected=False)]

    def test_the_three_header_lines_of_yfinance(self, write):
        text = (
            "Price,Close,High,Low,Open,Volume\nTicker,SPY,SPY,SPY,SPY,SPY\nDate,,,,,\n"
            "2020-01-02,2,3,0.5,1,7\n2020-01-03,2,3,0.5,1,7\n"
        )

        bars, parsed = read(write(text))

        assert stamps(bars) == ["2020-01-02T00:00:00", "2020-01-03T00:00:00"]
        assert (bars[0].open, bars[0].close, parsed.issues) == (1, 2, [])

    def test_a_line_of_the_venue_above_the_header(self, write):
        bars, _ = read(write("https://www.example.com/data\n" + HEADER + "2020-01-02,1,3,0.5,2,7\n"))

        assert len(bars) == 1

    @pytest.mark.parametrize(
        ("text", "rule"),
        [
            ("", "empty"),
            ("\n\n", "empty"),
            ("date,close\n2020-01-02,1\n", "no open, high, low among the columns date, close"),
            ("2020-01-02,1,2,3,4\n", "no OHLC columns"),
            ("open,high,low,close\n1,2,3,4\n", "no column of dates"),
            ("date,open,high,low,close,close\n2020-01-02,1,2,0,1,1\n", "'close' stands twice"),
            (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "no OHLC columns"),
        ],
    )
    def test_what_is_no_file_of_bars_is_told_so(self, write, text, rule):
        with pytest.raises(UnreadableFileError, match=rule):
            read_csv(write(text))

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(UnreadableFileError, match="cannot be opened"):
            read_csv(tmp_path / "none.csv")


class TestSymbols:
    def test_the_name_of_the_file_up_to_the_first_mark(self, write):
        _, parsed = read(write(HEADER + "2020-01-02,1,3,0.5,2,7\n", name="BRK-B_daily.2020.csv"))

        assert parsed.symbol == "BRK-B"

    def test_the_one_given_wins(self, write):
        bars, _ = read(write(HEADER + "2020-01-02,1,3,0.5,2,7\n"), symbol="^GSPC")

        assert bars[0].symbol == "^GSPC"

    def test_a_file_name_without_a_ticker_asks_for_one(self, write):
        with pytest.raises(UnreadableFileError, match="give --symbol"):
            read_csv(write(HEADER + "2020-01-02,1,3,0.5,2,7\n", name="_daily.csv"))

    def test_a_column_of_tickers_names_each_row(self, write):
        text = "date,open,high,low,close,volume,Name\n2020-01-02,1,3,0.5,2,7,AAL\n2020-01-03,1,3,0.5,2,7,AAPL\n"

        bars, parsed = read(write(text))

        assert [bar.symbol for bar in bars] == ["AAL", "AAPL"]
        assert parsed.symbol == ""

    def test_rows_of_several_tickers_are_not_put_under_one_name(self, write):
        text = "date,open,high,low,close,volume,Name\n2020-01-02,1,3,0.5,2,7,AAL\n2020-01-03,1,3,0.5,2,7,AAPL\n"

        with pytest.raises(UnreadableFileError, match="several tickers"):
            read_csv(write(text), symbol="AAL")

    def test_a_row_without_its_ticker_is_refused(self, write):
        text = "date,open,high,low,close,volume,ticker\n2020-01-02,1,3,0.5,2,7,AAL\n2020-01-03,1,3,0.5,2,7,\n"

        bars, parsed = read(write(text))

        assert len(bars) == 1
        assert [(issue.line, issue.field) for issue in parsed.issues] == [(3, "symbol")]

    def test_prefixed_columns_of_several_instruments_are_chosen_by_symbol(self, write):
        text = (
            "date,AAPL.Open,AAPL.High,AAPL.Low,AAPL.Close,MSFT.Open,MSFT.High,MSFT.Low,MSFT.Close\n"
            "2020-01-02,1,3,0.5,2,10,30,5,20\n"
        )
        path = write(text)

        with pytest.raises(UnreadableFileError, match=r"several instruments \(AAPL, MSFT\)"):
            read_csv(path)
        assert [bar.close for bar in read(path, symbol="MSFT")[0]] == [20]


class TestDates:
    def test_a_day_above_twelve_settles_the_order_of_the_whole_file(self, write):
        european = HEADER + "01/02/2020,1,3,0.5,2,7\n13/02/2020,1,3,0.5,2,7\n"
        american = HEADER + "01/02/2020,1,3,0.5,2,7\n02/13/2020,1,3,0.5,2,7\n"

        assert stamps(read(write(european), timeframe="1d")[0]) == ["2020-02-01T00:00:00", "2020-02-13T00:00:00"]
        assert stamps(read(write(american), timeframe="1d")[0]) == ["2020-01-02T00:00:00", "2020-02-13T00:00:00"]

    @pytest.mark.parametrize(
        ("given", "expected"),
        [("DMY", "2020-02-01"), ("dd/mm/yyyy", "2020-02-01"), ("MDY", "2020-01-02"), ("%m/%d/%Y", "2020-01-02")],
    )
    def test_an_ambiguous_file_is_read_as_told(self, write, given, expected):
        path = write(HEADER + "01/02/2020,1,3,0.5,2,7\n")

        with pytest.raises(UnreadableFileError, match="DD/MM and as MM/DD"):
            read_csv(path)
        assert stamps(read(path, date_format=given)[0]) == [f"{expected}T00:00:00"]

    def test_two_orders_in_one_file_are_asked_about_and_then_reported_by_line(self, write):
        path = write(HEADER + "13/02/2020,1,3,0.5,2,7\n02/14/2020,1,3,0.5,2,7\n")

        with pytest.raises(UnreadableFileError, match=r"line 2 \(13/02/2020\).*line 3 \(02/14/2020\)"):
            read_csv(path)
        bars, parsed = read(path, date_format="DMY")
        assert stamps(bars) == ["2020-02-13T00:00:00"]
        assert [(issue.line, issue.field, issue.value) for issue in parsed.issues] == [(3, "timestamp", "02/14/2020")]

    def test_equal_day_and_month_are_not_ambiguous(self, write):
        assert stamps(read(write(HEADER + "2/2/2020,1,3,0.5,2,7\n"))[0]) == ["2020-02-02T00:00:00"]

    def test_a_format_of_ones_own(self, write):
        path = write(HEADER + '"Jan 02, 2020",1,3,0.5,2,7\n')

        with pytest.raises(UnreadableFileError, match=r"'Jan 02, 2020'.*--date-format"):
            read_csv(path)
        assert stamps(read(path, date_format="%b %d, %Y")[0]) == ["2020-01-02T00:00:00"]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2020-01-02 09:30", "2020-01-02T09:30:00"),
            ("2020-01-02T09:30:15", "2020-01-02T09:30:15"),
            ("2020-01-02T09:30:15.000Z", "2020-01-02T09:30:15"),
            ("2020-01-02 09:30:15+0530", "2020-01-02T04:00:15"),
            ("2020-01-02 09:30:00-05:00", "2020-01-02T14:30:00"),
            ("2020/1/2 9:30", "2020-01-02T09:30:00"),
            ("20200102 09:30", "2020-01-02T09:30:00"),
            ("20200102 093015", "2020-01-02T09:30:15"),
            ("202001020930", "2020-01-02T09:30:00"),
            ("1/13/2020 9:30 PM", "2020-01-13T21:30:00"),
            ("1/13/2020 12:05 am", "2020-01-13T00:05:00"),
            ("1577957400", "2020-01-02T09:30:00"),
            ("1577957400000", "2020-01-02T09:30:00"),
        ],
    )
    def test_the_usual_ways_to_write_a_moment(self, write, text, expected):
        assert stamps(read(write(HEADER + f"{text},1,3,0.5,2,7\n"), timeframe="1m")[0]) == [expected]

    @pytest.mark.parametrize(
        "text",
        ["", "yesterday", "2020-02-30", "2020-13-01", "01/02/20", "2020-01-02 25:00", "2020-01-02 13:00 PM",
         "2020-01-02 09:30:00.0000001", "２０２０-01-02", "2020-01-02 09:30+99:00", "123"],
    )  # fmt: skip
    def test_what_is_no_moment_is_refused_by_line(self, write, text):
        bars, parsed = read(write(HEADER + f"2020-01-02,1,3,0.5,2,7\n{text},1,3,0.5,2,7\n"), timeframe="1m")

        assert len(bars) == 1
        assert [(issue.line, issue.field, issue.value) for issue in parsed.issues] == [(3, "timestamp", text)]

    def test_naive_stamps_are_of_the_zone_given(self, write):
        path = write(HEADER + "2020-01-02 09:30,1,3,0.5,2,7\n2020-07-02 09:30,1,3,0.5,2,7\n")

        assert stamps(read(path, timeframe="1m", timezone="America/New_York")[0]) == [
            "2020-01-02T14:30:00",
            "2020-07-02T13:30:00",
        ]

    @pytest.mark.parametrize(
        ("text", "rule"), [("2020-03-08 02:30", "did not skip"), ("2020-11-01 01:30", "showed once")]
    )
    def test_a_time_that_the_clock_change_skipped_or_repeated_is_refused(self, write, text, rule):
        path = write(HEADER + f"2020-01-02 09:30,1,3,0.5,2,7\n{text},1,3,0.5,2,7\n")

        bars, parsed = read(path, timeframe="1m", timezone="America/New_York")

        assert len(bars) == 1
        assert rule in parsed.issues[0].rule

    def test_a_daily_stamp_is_midnight_utc_of_the_date_it_shows(self, write):
        path = write(HEADER + "2020-01-02 00:00:00+09:00,1,3,0.5,2,7\n2020-01-03 00:00:00+09:00,1,3,0.5,2,7\n")

        assert stamps(read(path)[0]) == ["2020-01-02T00:00:00", "2020-01-03T00:00:00"]

    def test_a_daily_stamp_in_utc_takes_the_date_of_the_zone_given(self, write):
        path = write(HEADER + "2020-06-01 22:00:00+00:00,1,3,0.5,2,7\n2020-06-02 22:00:00+00:00,1,3,0.5,2,7\n")

        assert stamps(read(path, timezone="Europe/Paris")[0]) == ["2020-06-02T00:00:00", "2020-06-03T00:00:00"]

    @pytest.mark.parametrize(
        ("option", "value"),
        [("timezone", "Mars/Olympus"), ("timezone", "../etc"), ("date_format", "sometimes"), ("timeframe", "1y")],
    )
    def test_a_wrong_option_is_named(self, write, option, value):
        with pytest.raises(RejectedRecordError) as caught:
            read_csv(write(HEADER + "2020-01-02,1,3,0.5,2,7\n"), **{option: value})

        assert (caught.value.field, caught.value.value) == (option, value)


class TestTimeframe:
    @pytest.mark.parametrize(
        ("moments", "expected"),
        [
            (["2020-01-02"], "1d"),
            (["2020-01-03", "2020-01-06"], "1d"),
            (["2020-01-06", "2020-01-03", "2020-01-02"], "1d"),
            (["2020-01-02 16:00", "2020-01-03 16:00"], "1d"),
            (["2020-01-03", "2020-01-10", "2020-01-17"], "1wk"),
            (["2020-01-01", "2020-02-01", "2020-03-01"], "1mo"),
            (["2020-01-01", "2020-04-01", "2020-07-01"], "3mo"),
            (["2020-01-02 09:30", "2020-01-02 09:35", "2020-01-03 09:30"], "5m"),
            (["2020-01-02 09:30", "2020-01-02 10:30"], "1h"),
            (["2020-01-02 00:00", "2020-01-02 04:00"], "4h"),
        ],
    )
    def test_is_told_from_the_steps_between_stamps(self, write, moments, expected):
        path = write(HEADER + "".join(f"{moment},1,3,0.5,2,7\n" for moment in moments))

        bars, parsed = read(path)

        assert parsed.timeframe == expected
        assert {bar.timeframe for bar in bars} == {expected}

    @pytest.mark.parametrize("moments", [["2020-01-02 09:30"], ["2020-01-02 09:30:00", "2020-01-02 09:30:07"]])
    def test_is_asked_for_where_the_stamps_do_not_tell(self, write, moments):
        path = write(HEADER + "".join(f"{moment},1,3,0.5,2,7\n" for moment in moments))

        with pytest.raises(UnreadableFileError, match="--timeframe"):
            read_csv(path)


class TestFaults:
    @pytest.mark.parametrize(
        ("row", "field", "value"),
        [
            ("2020-01-03,,3,0.5,2,7", "open", ""),
            ("2020-01-03,1,null,0.5,2,7", "high", "null"),
            ("2020-01-03,1,3,NaN,2,7", "low", "NaN"),
            ("2020-01-03,1,3,0.5,inf,7", "close", "inf"),
            ("2020-01-03,1_0,30,0.5,2,7", "open", "1_0"),
            ("2020-01-03,１,3,0.5,2,7", "open", "１"),
            ('2020-01-03,"1,5",3,0.5,2,7', "open", "1,5"),
            ("2020-01-03,1,3,0.5,2,1.2M", "volume", "1.2M"),
            ("2020-01-03,1,3,0.5,2,-7", "volume", "-7"),
            ("2020-01-03,1,0.4,0.5,2,7", "high", "0.4"),
            ("2020-01-03,1.1234567890123456789,3,0.5,2,7", "open", "1.1234567890123456789"),
            ("2020-01-03,1,100000000000000000000,0.5,2,7", "high", "100000000000000000000"),
            ("2020-01-03,1,3e999,0.5,2,7", "high", "3E+999"),
            ("2020-01-03,1,3,0.5,2", "", "2020-01-03,1,3,0.5,2"),
            ("2020-01-03,1,3,0.5,2,7,8", "", "2020-01-03,1,3,0.5,2,7,8"),
            ('2020-01-03,"1,3,0.5,2,7', "", '2020-01-03,"1,3,0.5,2,7'),
            (",,,,,", "", ""),
            ("", "", ""),
        ],
    )
    def test_a_broken_row_is_named_by_line_field_and_value_and_the_rest_is_kept(self, write, row, field, value):
        bars, parsed = read(write(f"{HEADER}2020-01-02,1,3,0.5,2,7\n{row}\n2020-01-06,1,3,0.5,2,7\n"))

        (issue,) = parsed.issues
        assert (issue.line, issue.field, issue.value, issue.rejected) == (3, field, value, True)
        assert issue.rule
        assert stamps(bars) == ["2020-01-02T00:00:00", "2020-01-06T00:00:00"]

    def test_bytes_that_are_no_text_cost_only_their_row(self, write):
        content = HEADER.encode() + b"2020-01-02,1,3,0.5,2,7\n2020-01-03,1,3,0.5,\xff\xfe,7\n2020-01-06,1,3,0.5,2,7\n"

        bars, parsed = read(write(content))

        assert len(bars) == 2
        assert [(issue.line, issue.field) for issue in parsed.issues] == [(3, "close")]

    def test_a_line_without_end_is_refused_and_not_kept_in_memory(self, write):
        long = "2020-01-03," + "9" * (3 * LINE_MAX)

        bars, parsed = read(write(f"{HEADER}2020-01-02,1,3,0.5,2,7\n{long}\n2020-01-06,1,3,0.5,2,7\n"))

        assert len(bars) == 2
        assert [issue.line for issue in parsed.issues] == [3]

    def test_an_empty_volume_is_zero_and_noted(self, write):
        bars, parsed = read(write(HEADER + "2020-01-02,1,3,0.5,2,\n"))

        assert bars[0].volume == 0
        assert parsed.issues == [Issue(2, "volume", "", "empty: stored as 0", rejected=False)]

    def test_empty_lines_at_the_end_are_how_files_end(self, write):
        assert read(write(HEADER + "2020-01-02,1,3,0.5,2,7\n\n\n"))[1].issues == []

    def test_a_comma_at_the_end_of_each_row_is_no_column(self, write):
        assert len(read(write(HEADER + "2020-01-02,1,3,0.5,2,7,\n"))[0]) == 1

    def test_every_row_is_a_bar_or_an_issue(self, write):
        rows = ["2020-01-02,1,3,0.5,2,7", "x", "", "2020-01-03,1,3,,2,7", "2020-01-06,1,3,0.5,2,7"]

        bars, parsed = read(write(HEADER + "\n".join(rows)))

        assert len(bars) + len(parsed.issues) == len(rows)


class TestText:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_byte_order_marks_and_line_ends_do_not_matter(self, write, encoding, end):
        text = end.join((HEADER.strip(), "2020-01-02,1,3,0.5,2,7", "2020-01-03,1,3,,2,7", "2020-01-06,1,3,0.5,2,7"))

        bars, parsed = read(write(text, encoding=encoding))

        assert len(bars) == 2
        assert [issue.line for issue in parsed.issues] == [3]

    def test_newest_first_keeps_the_order_of_the_file(self, write):
        bars, _ = read(write(HEADER + "2020-01-03,1,3,0.5,2,7\n2020-01-02,1,3,0.5,2,7\n"))

        assert stamps(bars) == ["2020-01-03T00:00:00", "2020-01-02T00:00:00"]

    def test_a_repeated_row_is_handed_on_twice_for_the_store_to_count(self, write):
        bars, _ = read(write(HEADER + "2020-01-02,1,3,0.5,2,7\n2020-01-02,1,3,0.5,2,7\n"), timeframe="1d")

        assert bars[0] == bars[1]

    def test_dollar_signs_are_taken_off(self, write):
        text = 'Date,Close/Last,Volume,Open,High,Low\n01/17/2020,"$318.73",34454120,$316.27,$318.74,$315\n'

        assert read(write(text))[0][0].close == Decimal("318.73")

    def test_digits_are_kept_exactly(self, write):
        bars, _ = read(write(HEADER + "2020-01-02,0.12345678901234567,99999999999999999999,0.000000000000000001,1,7\n"))

        assert bars[0].open == Decimal("0.12345678901234567")
        assert bars[0].high == Decimal("99999999999999999999")
        assert bars[0].low == Decimal("0.000000000000000001")

    def test_memory_does_not_grow_with_the_file(self, write, monkeypatch):
        seen = []
        original = csv_prices.numbered_lines

        def watched(stream):
            for number, line in original(stream):
                seen.append(number)
                yield number, line

        monkeypatch.setattr(csv_prices, "numbered_lines", watched)
        parsed = read_csv(write(HEADER + "".join(f"2020-01-{day:02},1,3,0.5,2,7\n" for day in range(1, 31))))
        seen.clear()

        next(iter(parsed))

        assert seen == [1, 2]
