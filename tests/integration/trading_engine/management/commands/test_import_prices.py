"""`manage.py import_prices` on every shared price file: rows, faults by line, and nothing added the second time."""

import io
import json
import threading
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import OperationalError, connections

from friren.persistence.engines import engine_for
from trading_engine.management.commands.import_prices import Command
from trading_engine.models import Price, PriceRevision
from trading_engine.services import price_loading

# file, options, symbol, timeframe, rows, suspect
FILES = [
    ("ohlcv/aapl_daily_2004_2018.yahoo.csv", [], "aapl", "1d", 3379, 0),
    ("ohlcv/aapl_daily_2015_2017.plotly.csv", [], "aapl", "1d", 506, 0),
    ("ohlcv/btcusd_daily_2017_2021.csv", [], "btcusd", "1d", 1246, 0),
    ("ohlcv/other_daily_2017_2018.csv", [], "other", "1d", 502, 0),
    ("ohlcv/sp500_1min_201911.csv", ["--date-format", "MDY"], "sp500", "1m", 1563, 0),
    ("ohlcv/spy_1min_20201215_18.csv", ["--timezone", "America/New_York"], "spy", "1m", 1564, 0),
    ("ohlcv/spy_daily_2008_2017.yahoo.csv", [], "spy", "1d", 2519, 2),
    ("ohlcv/spy_daily_2017_2018.csv", [], "spy", "1d", 502, 0),
    ("ohlcv/yahoo/ALPHA-PA-1d-bad-stock-split-fixed.csv", ["--symbol", "ALPHA.PA"], "ALPHA.PA", "1d", 29, 0),
    ("ohlcv/yahoo/ALPHA-PA-1d-bad-stock-split.csv", ["--symbol", "ALPHA.PA"], "ALPHA.PA", "1d", 29, 0),
    ("ohlcv/yahoo/ASAI-L-1h-bad-unit-fixed.csv", ["--symbol", "ASAI.L"], "ASAI.L", "1h", 20, 0),
    ("ohlcv/yahoo/ASAI-L-1h-bad-unit.csv", ["--symbol", "ASAI.L"], "ASAI.L", "1h", 20, 0),
    ("ohlcv/yahoo/CALM-1d-no-bad-divs.csv", ["--symbol", "CALM"], "CALM", "1d", 662, 0),
    ("ohlcv/yahoo/EA-15m-no-bad-divs.csv", ["--symbol", "EA"], "EA", "15m", 319, 0),
    ("ohlcv/lean/crypto/btcusd_daily_trade.zip", [], "btcusd", "1d", 1318, 0),
    ("ohlcv/lean/crypto/minute_btcusd_20180404_trade.zip", [], "btcusd", "1m", 1007, 0),
    ("ohlcv/lean/crypto/minute_btcusd_20180405_trade.zip", [], "btcusd", "1m", 1440, 0),
    ("ohlcv/lean/daily/aapl.zip", [], "aapl", "1d", 5849, 0),
    ("ohlcv/lean/daily/ibm.zip", [], "ibm", "1d", 5849, 0),
    ("ohlcv/lean/daily/spy.zip", [], "spy", "1d", 5849, 0),
    ("ohlcv/lean/minute/spy/20131007_trade.zip", [], "spy", "1m", 828, 0),
    ("ohlcv/lean/minute/spy/20131008_trade.zip", [], "spy", "1m", 828, 0),
    ("ohlcv/lean/minute/spy/20131009_trade.zip", [], "spy", "1m", 813, 0),
    ("ohlcv/lean/minute/spy/20131010_trade.zip", [], "spy", "1m", 883, 0),
    ("ohlcv/lean/minute/spy/20131011_trade.zip", [], "spy", "1m", 776, 0),
    ("regime/vix_daily_1990_2026.csv", [], "vix", "1d", 9235, 47),
]
HEADER = "date,open,high,low,close,volume\n"


def run(*arguments):
    """Return (exit code, report, stderr) of the command as a terminal sees it."""
    command = Command(stdout=(stdout := io.StringIO()), stderr=(stderr := io.StringIO()), no_color=True)
    code = 0
    try:
        command.run_from_argv(["manage.py", "import_prices", *map(str, arguments), "--json"])
    except SystemExit as exit_:
        code = exit_.code
    finally:
        connections.close_all()
    return code, json.loads(stdout.getvalue() or "null"), stderr.getvalue()


def counts(report):
    return tuple(report[name] for name in ("inserted", "duplicates", "conflicts", "rejected", "suspect"))


@pytest.fixture
def write(tmp_path):
    def write_file(text, name="spy_daily.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_file


@pytest.mark.parametrize(
    ("name", "options", "symbol", "timeframe", "rows", "suspect"), FILES, ids=[f[0] for f in FILES]
)
def test_a_file_goes_in_whole_and_once(shared_data, name, options, symbol, timeframe, rows, suspect):  # noqa: PLR0917
    first = run(shared_data / name, *options)
    second = run(shared_data / name, *options)

    assert (first[0], counts(first[1])) == (0, (rows, 0, 0, 0, suspect))
    assert (second[0], counts(second[1])) == (0, (0, rows, 0, 0, suspect))
    assert len(first[1]["suspect_rows"]) == suspect
    stored = Price.objects.filter(symbol__ticker=symbol, timeframe=timeframe)
    assert (stored.count(), Price.objects.count(), stored.filter(is_suspect=True).count()) == (rows, rows, suspect)


def test_the_suspect_rows_of_the_manifest_are_named_by_line(shared_data):
    _, report, _ = run(shared_data / "ohlcv/spy_daily_2008_2017.yahoo.csv")

    lines = (shared_data / "ohlcv/spy_daily_2008_2017.yahoo.csv").read_text().splitlines()
    for row in report["suspect_rows"]:
        _, open_, high, low, close, *_ = lines[row["line"] - 1].split(",")
        outside = {"open": open_, "close": close}[row["field"]]
        assert not Decimal(low) <= Decimal(outside) <= Decimal(high)
        assert Decimal(row["value"]) == Decimal(outside)


def test_the_made_faulty_file_names_its_faults_by_line_and_keeps_the_rest(shared_data):
    path = shared_data / "ohlcv/bad_daily.csv"

    code, report, _ = run(path)

    assert (code, counts(report)) == (0, (397, 0, 0, 105, 9))
    rows = {row["line"]: (row["field"], row["value"]) for row in report["rejected_rows"]}
    assert sorted(rows) == [*range(202, 252), 358, 360, 362, 363, *range(451, 502)]
    assert rows[358] == ("high", "-266.1")
    assert rows[360] == ("volume", "-64874192")
    assert {row["file"] for row in report["rejected_rows"]} == {str(path)}
    assert all(row["rule"] for row in report["rejected_rows"])
    assert [row["line"] for row in report["suspect_rows"]] == [252, 253, 254, 255, 256, 257, 356, 359, 361]
    assert counts(run(path)[1]) == (0, 397, 0, 105, 9)


def test_what_was_rounded_is_named_by_line(shared_data):
    _, report, _ = run(shared_data / "ohlcv/yahoo/ALPHA-PA-1d-bad-stock-split.csv")

    assert [(row["line"], row["field"]) for row in report["changed_rows"]] == [
        (13, "open"), (13, "high"), (13, "low"), (13, "close"), (13, "adjusted_close"),
    ]  # fmt: skip


class TestSeveralFiles:
    def test_are_summed_and_told_apart(self, shared_data):
        paths = sorted((shared_data / "ohlcv/lean/minute/spy").iterdir())

        code, report, _ = run(*paths)

        assert (code, report["inserted"]) == (0, 828 + 828 + 813 + 883 + 776)
        assert [each["inserted"] for each in report["files"]] == [828, 828, 813, 883, 776]

    def test_one_that_cannot_be_read_fails_the_command_and_not_the_others(self, write):
        good, bad = write(HEADER + "2024-01-02,1,3,0.5,2,7\n"), write("date,close\n2024-01-02,1\n", name="qqq.csv")

        code, report, stderr = run(bad, good)

        assert (code, report["inserted"]) == (1, 1)
        assert report["unreadable"] == [{"file": str(bad), "rule": report["unreadable"][0]["rule"]}]
        assert stderr.count("\n") == 1
        assert "no OHLC columns" in stderr


class TestConflicts:
    def test_other_values_are_kept_out_and_named_by_line_until_revised(self, write):
        run(write(HEADER + "2024-01-02,1,3,0.5,2,7\n2024-01-03,1,3,0.5,2,7\n"))
        changed = write(HEADER + "2024-01-02,1,3,0.5,2,7\n2024-01-03,1,3,0.5,2.5,7\n")

        code, report, _ = run(changed)
        assert (code, counts(report)) == (0, (0, 1, 1, 0, 0))
        assert report["conflict_rows"] == [{"file": str(changed), "line": 3}]
        assert Price.objects.filter(close=2).count() == 2

        code, report, _ = run(changed, "--revise")
        assert (code, counts(report), report["revised"]) == (0, (0, 1, 1, 0, 0), 1)
        assert Price.objects.filter(close=Decimal("2.5")).count() == 1
        assert PriceRevision.objects.get().close == 2

        assert counts(run(changed, "--revise")[1]) == (0, 2, 0, 0, 0)

    def test_the_repaired_file_revises_the_faulty_one(self, shared_data):
        faulty = shared_data / "ohlcv/yahoo/ALPHA-PA-1d-bad-stock-split.csv"
        repaired = shared_data / "ohlcv/yahoo/ALPHA-PA-1d-bad-stock-split-fixed.csv"
        run(faulty, "--symbol", "ALPHA.PA")

        _, report, _ = run(repaired, "--symbol", "ALPHA.PA", "--revise")

        assert report["inserted"] == 0
        assert report["revised"] == report["conflicts"] == PriceRevision.objects.count() > 0
        assert report["duplicates"] + report["conflicts"] == 29
        assert counts(run(repaired, "--symbol", "ALPHA.PA")[1]) == (0, 29, 0, 0, 0)

    def test_a_row_repeated_in_a_file_is_a_duplicate_and_a_differing_one_a_conflict(self, write):
        row, other = "2024-01-02,1,3,0.5,2,7\n", "2024-01-02,1,3,0.5,2.5,7\n"

        _, report, _ = run(write(HEADER + row + row + other))

        assert counts(report) == (1, 1, 1, 0, 0)
        assert [row["line"] for row in report["conflict_rows"]] == [4]


class TestExitCodes:
    @pytest.mark.parametrize(
        "text",
        ["", "date,close\n2024-01-02,1\n", HEADER, HEADER + "2024-01-02,,,,,\n", HEADER + "01/02/2024,1,3,0.5,2,7\n"],
    )
    def test_nothing_that_could_be_read_is_a_failure(self, write, text):
        assert run(write(text))[0] == 1

    @pytest.mark.parametrize(
        "options",
        [
            ["--timezone", "Mars"],
            ["--timeframe", "1y"],
            ["--date-format", "when"],
            ["--symbol", ""],
            ["--source", "x" * 51],
            ["--market", "fish"],
            ["--no-such-option"],
        ],
    )
    def test_wrong_usage_is_two(self, write, options):
        code, report, _ = run(write(HEADER + "2024-01-02,1,3,0.5,2,7\n"), *options)

        assert (code, report) == (2, None)
        assert Price.objects.count() == 0

    def test_a_row_that_is_no_bar_is_no_failure(self, write):
        code, report, _ = run(write(HEADER + "2024-01-02,1,3,0.5,2,7\n2024-01-03,,,,,\n"))

        assert (code, report["rejected"]) == (0, 1)


class TestForPeople:
    def test_the_report_names_the_first_faults_and_counts_the_rest(self, shared_data):
        call_command("import_prices", shared_data / "ohlcv/bad_daily.csv", stdout=(stdout := io.StringIO()))

        text = stdout.getvalue()
        assert "bad_daily.csv:202: timestamp ''" in text
        assert "… and 85 more rejected rows" in text
        assert "397" in text


class TestTrouble:
    def test_what_the_database_could_not_take_is_journaled_and_follows(self, write, monkeypatch):
        monkeypatch.setattr(price_loading, "BATCH_ROWS_MAX", 10)
        path = write(HEADER + "".join(f"2024-01-{day:02},1,3,0.5,2,7\n" for day in range(1, 31)))
        original, calls = price_loading.load_within, []

        def fail_the_third(*arguments, **options):
            calls.append(1)
            if len(calls) == 3:
                raise OperationalError("the server went away")
            return original(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(price_loading, "load_within", fail_the_third)
            code, report, _stderr = run(path)
        assert (code, counts(report), report["journaled"]) == (0, (20, 0, 0, 0, 0), 10)
        assert engine_for().flush(120)
        assert Price.objects.count() == 30

        assert counts(run(path)[1]) == (0, 30, 0, 0, 0)

    def test_the_same_file_imported_twice_at_once_is_stored_once(self, shared_data):
        path = shared_data / "ohlcv/aapl_daily_2004_2018.yahoo.csv"
        results, barrier = [], threading.Barrier(2)

        def job():
            barrier.wait()
            results.append(run(path))

        threads = [threading.Thread(target=job) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        assert [code for code, _, _ in results] == [0, 0]
        assert sum(report["inserted"] for _, report, _ in results) == 3379
        assert sum(report["duplicates"] for _, report, _ in results) == 3379
        assert Price.objects.count() == 3379
