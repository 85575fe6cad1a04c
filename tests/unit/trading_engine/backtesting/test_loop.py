"""The event loop: what happens in which order, and that nothing is known too early."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from friren.core.ids import new_id
from friren.errors import RejectedRecordError
from trading_engine.backtesting import EventLoop, LoopCounts, NextOpenVenue, OrderTicket, merge_bars
from trading_engine.regime import TrendVolatilityDetector, TrendVolatilityParameters
from trading_engine.strategies import ENTRY_LONG, EXIT_LONG, Advice, create_strategy

DAY = dt.timedelta(days=1)
QUICK = TrendVolatilityParameters(trend_bars=5, short_bars=3, long_bars=8, confirmation=1)


class Scripted:
    """A strategy that says what it is told at the bars it is told (counted from 0)."""

    def __init__(self, script, name="scripted"):
        self.name, self.parameters, self._script, self._bar = name, {}, script, -1

    def on_bar(self, bar):
        self._bar += 1
        kind = self._script.get(self._bar)
        return Advice(kind, 0.5, f"bar {self._bar}") if kind else None


class Recorder:
    """A sink that buys one share of everything and writes down what it is told."""

    def __init__(self):
        self.log = []

    def on_fill(self, fill):
        self.log.append(("fill", fill.ticket.symbol, fill.executed_at, fill.price, fill.commission))

    def on_bars(self, bars):
        self.log.append(("bars", tuple((bar.symbol, bar.close) for bar in bars)))

    def on_regime(self, symbol, reading):
        self.log.append(("regime", symbol, reading.timestamp, reading.regime_type))

    def on_signal(self, signal):
        self.log.append(("signal", signal.symbol, signal.timestamp, signal.kind, signal.strategy, signal.regime))
        action = "buy" if signal.kind == ENTRY_LONG else "sell"
        return OrderTicket(
            id=new_id(),
            symbol=signal.symbol,
            strategy=signal.strategy,
            action=action,
            quantity=Decimal(1),
            requested_at=signal.timestamp,
        )

    def on_submitted(self, ticket):
        self.log.append(("submitted", ticket.symbol))

    def on_day_close(self, at):
        self.log.append(("day", at))

    def kinds(self):
        return [entry[0] for entry in self.log]


def run(series, strategies, *, detectors=None, venue=None, sink=None):
    sink = sink or Recorder()
    venue = venue or NextOpenVenue()
    loop = EventLoop(strategies=strategies, venue=venue, sink=sink, detectors=detectors or {})
    return loop.run(series), sink, venue


class TestOrder:
    def test_fills_at_the_next_open_before_anything_else_of_that_bar(self, make_bars):
        bars = make_bars([10, 11, 12], opens=[9, "10.5", "11.5"])
        counts, sink, _ = run({"AAA": bars}, {"AAA": [Scripted({0: ENTRY_LONG})]})

        assert sink.kinds() == ["bars", "signal", "submitted", "day", "fill", "bars", "day", "bars", "day"]
        assert sink.log[4] == ("fill", "AAA", bars[1].timestamp, Decimal("10.5"), Decimal(1))
        assert (counts.bars, counts.signals, counts.orders, counts.fills, counts.days) == (3, 1, 1, 1, 3)

    def test_does_not_fill_what_is_decided_on_the_last_bar(self, make_bars):
        counts, sink, venue = run({"AAA": make_bars([10, 11])}, {"AAA": [Scripted({1: ENTRY_LONG})]})

        assert counts.fills == 0
        assert "fill" not in sink.kinds()
        assert [ticket.symbol for ticket in venue.open_orders] == ["AAA"]

    def test_shows_all_closes_of_a_timestamp_before_any_strategy_is_asked(self, make_bars):
        series = {"BBB": make_bars([5, 6], symbol="BBB"), "AAA": make_bars([1, 2])}
        strategies = {"AAA": [Scripted({0: ENTRY_LONG})], "BBB": [Scripted({0: ENTRY_LONG})]}
        _, sink, _ = run(series, strategies)

        assert sink.log[0] == ("bars", (("AAA", Decimal(1)), ("BBB", Decimal(5))))
        assert [entry[1] for entry in sink.log if entry[0] == "signal"] == ["AAA", "BBB"]

    def test_fills_at_the_next_bar_of_the_symbol_and_not_of_another(self, make_bars):
        start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        series = {
            "AAA": make_bars([1, 2], every=3 * DAY),
            "BBB": make_bars([5, 6, 7, 8], symbol="BBB"),
        }
        _, sink, _ = run(series, {"AAA": [Scripted({0: ENTRY_LONG})]})

        assert [entry[2] for entry in sink.log if entry[0] == "fill"] == [start + 3 * DAY]

    def test_tells_the_detector_before_the_strategies(self, make_bars):
        closes = [100, 101, 100, 102, 101, 103, 102, 104, 103, 120, 121]
        strategies = {"AAA": [Scripted({9: ENTRY_LONG, 10: EXIT_LONG})]}
        detectors = {"AAA": TrendVolatilityDetector(parameters=QUICK)}
        _, sink, _ = run({"AAA": make_bars(closes)}, strategies, detectors=detectors)

        regimes = [entry for entry in sink.log if entry[0] == "regime"]
        signal = next(entry for entry in sink.log if entry[0] == "signal")
        seen_before = [entry for entry in regimes if sink.log.index(entry) < sink.log.index(signal)]
        assert signal[5] == seen_before[-1][3]
        assert any(entry[2] == signal[2] for entry in seen_before)

    def test_closes_a_day_once_and_after_its_last_bar(self, make_bars):
        start = dt.datetime(2020, 1, 1, 22, tzinfo=dt.UTC)
        bars = make_bars([1, 2, 3, 4, 5], start=start, every=dt.timedelta(hours=1))
        counts, sink, _ = run({"AAA": bars}, {})

        assert [entry[1] for entry in sink.log if entry[0] == "day"] == [bars[1].timestamp, bars[4].timestamp]
        assert sink.kinds() == ["bars", "bars", "day", "bars", "bars", "bars", "day"]
        assert counts.days == 2

    def test_reports_progress_in_bars(self, make_bars):
        done = []
        series = {"AAA": make_bars([1, 2]), "BBB": make_bars([1], symbol="BBB")}
        EventLoop(strategies={}, venue=NextOpenVenue(), sink=Recorder(), progress=done.append).run(series)

        assert done == [2, 1]


class TestFailure:
    def test_a_venue_that_raises_leaves_the_order_unsubmitted(self, make_bars):
        class Deaf(NextOpenVenue):
            def submit(self, ticket):
                raise ConnectionError("no line to the venue")

        sink = Recorder()
        with pytest.raises(ConnectionError):
            run({"AAA": make_bars([1, 2])}, {"AAA": [Scripted({0: ENTRY_LONG})]}, venue=Deaf(), sink=sink)
        assert sink.kinds() == ["bars", "signal"]

    def test_a_negative_commission_is_refused(self):
        with pytest.raises(RejectedRecordError) as refused:
            NextOpenVenue(commission=Decimal(-1))
        assert refused.value.field == "commission"


class TestMerge:
    def test_is_by_timestamp_then_symbol(self, make_bars):
        series = {"BBB": make_bars([1, 2], symbol="BBB"), "AAA": make_bars([3, 4, 5])}
        merged = [[bar.symbol for bar in bars] for _, bars in merge_bars(series)]

        assert merged == [["AAA", "BBB"], ["AAA", "BBB"], ["AAA"]]

    def test_refuses_bars_out_of_order(self, make_bars):
        bars = make_bars([1, 2])
        with pytest.raises(RejectedRecordError, match="later than the bar of AAA before it"):
            list(merge_bars({"AAA": [*bars, bars[1]]}))

    def test_refuses_bars_under_another_name(self, make_bars):
        with pytest.raises(RejectedRecordError, match="the symbol of its series, BBB"):
            list(merge_bars({"BBB": make_bars([1])}))


class TestNoLookAhead:
    @pytest.mark.parametrize("name", ["sma_cross", "donchian_breakout", "mean_reversion"])
    def test_a_cut_future_leaves_the_past_as_it_was(self, name, make_bars):
        parameters = {"sma_cross": {"fast": 3, "slow": 8}, "donchian_breakout": {"entry_bars": 5, "exit_bars": 3}}
        closes = [100 + (7 * index) % 23 - (5 * index) % 17 + index * 0.1 for index in range(160)]

        def past(bars, until):
            strategies = {"AAA": [create_strategy(name, **parameters.get(name, {}))]}
            detectors = {"AAA": TrendVolatilityDetector(parameters=QUICK)}
            sink = run({"AAA": bars}, strategies, detectors=detectors)[1]
            return [entry for entry in sink.log if entry[0] in {"fill", "regime", "signal"} and entry[2] <= until]

        bars = make_bars(closes)
        whole = past(bars, bars[119].timestamp)
        assert len(whole) >= 4
        assert past(bars[:120], bars[119].timestamp) == whole
        assert past(bars[:120] + make_bars([1] * 40, start=bars[120].timestamp), bars[119].timestamp) == whole


def test_an_empty_series_is_an_empty_run():
    counts, sink, _ = run({"AAA": []}, {})

    assert sink.log == []
    assert counts == LoopCounts()
