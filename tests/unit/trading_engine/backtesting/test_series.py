"""Bars for a run, as files have them."""

from __future__ import annotations

import datetime as dt

import pytest

from friren.errors import RejectedRecordError
from trading_engine.backtesting.series import series_of, series_of_files
from trading_engine.data.importers.parsed import UnreadableFileError

HEADER = "Date,Open,High,Low,Close,Volume\n"


@pytest.fixture
def write(tmp_path):
    def write(name, *rows, header=HEADER):
        path = tmp_path / name
        path.write_text(header + "".join(f"{row}\n" for row in rows))
        return path

    return write


class TestFiles:
    def test_are_sorted_whatever_their_order(self, write):
        path = write("AAA.csv", "2020-01-03,3,3,3,3,1", "2020-01-02,2,2,2,2,1", "2020-01-06,6,6,6,6,1")
        loaded = series_of_files([path])

        assert [bar.close for bar in loaded.series["AAA"]] == [2, 3, 6]
        assert (loaded.issues, loaded.repeated) == ([], 0)

    def test_become_a_series_per_symbol(self, write):
        rows = ["2020-01-02,2,2,2,2,1", "2020-01-03,2,2,2,2,1"]
        loaded = series_of_files([write("BBB.csv", *rows), write("AAA_daily.csv", *rows)])

        assert {symbol: len(bars) for symbol, bars in loaded.series.items()} == {"AAA": 2, "BBB": 2}
        assert [bar.symbol for bar in loaded.bars] == ["AAA", "AAA", "BBB", "BBB"]

    def test_keep_the_first_bar_of_a_moment_and_count_the_others(self, write):
        first = write("AAA_1.csv", "2020-01-02,2,2,2,2,1", "2020-01-03,3,3,3,3,1")
        second = write("AAA_2.csv", "2020-01-03,9,9,9,9,1", "2020-01-06,6,6,6,6,1")
        loaded = series_of_files([first, second])

        assert [bar.close for bar in loaded.series["AAA"]] == [2, 3, 6]
        assert loaded.repeated == 1

    def test_name_lines_that_are_no_bar(self, write):
        path = write("AAA.csv", "2020-01-02,2,2,2,2,1", "2020-01-03,x,3,3,3,1", "2020-01-06,6,6,6,6,1")
        loaded = series_of_files([path])

        assert len(loaded.series["AAA"]) == 2
        assert (len(loaded.issues), loaded.rejected) == (1, 1)
        assert loaded.issues[0].startswith("AAA.csv: line 3: open='x'")

    def test_tell_what_was_changed_apart_from_what_was_refused(self, write):
        path = write("AAA.csv", "2020-01-02,2,2,2,2", "2020-01-03,2,2,2,2", header="Date,Open,High,Low,Close\n")
        loaded = series_of_files([path])

        assert len(loaded.series["AAA"]) == 2
        assert (len(loaded.issues), loaded.rejected) == (1, 0)

    @pytest.mark.parametrize("rows", [[], ["2020-01-02,x,x,x,x,1", "2020-01-03,x,x,x,x,1"]])
    def test_without_a_bar_are_refused_by_name(self, write, rows):
        path = write("AAA.csv", *rows)
        with pytest.raises(UnreadableFileError, match=r"AAA\.csv: "):
            series_of_files([path])

    def test_that_are_missing_are_refused_by_name(self, tmp_path):
        with pytest.raises(UnreadableFileError, match=r"nowhere\.csv: "):
            series_of_files([tmp_path / "nowhere.csv"])


class TestSeries:
    def test_of_nothing_is_refused(self):
        with pytest.raises(RejectedRecordError, match="at least one"):
            series_of([])

    def test_of_two_timeframes_is_refused(self, make_bars):
        hourly = make_bars([1, 2], every=dt.timedelta(hours=1))
        with pytest.raises(RejectedRecordError, match="one timeframe per run"):
            series_of([*make_bars([1, 2], symbol="BBB"), *hourly])
