"""Regimes: observations as they were seen, and the intervals that follow from them."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

import friren
from friren.core.ids import new_id
from friren.errors import KeyReusedError
from friren.persistence.receipts import WriteOutcome
from trading_engine.models import MarketRegime, RegimeHistory
from trading_engine.services import RegimeLogger

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)


def at(hours: float) -> dt.datetime:
    return NOON + dt.timedelta(hours=hours)


def see(regimes: RegimeLogger, regime_type: str, hours: float, **more):
    return regimes.log_regime_change(regime_type=regime_type, timestamp=at(hours), **more)


def intervals(**stream) -> list[tuple[str, dt.datetime, dt.datetime | None]]:
    rows = MarketRegime.objects.filter(**stream).order_by("started_at")
    return list(rows.values_list("regime_type", "started_at", "ended_at"))


@pytest.fixture
def regimes() -> RegimeLogger:
    return RegimeLogger(friren.open_account("book"), detector="TREND")


class TestIntervals:
    def test_first_observation_opens_one(self, regimes) -> None:
        receipt = see(regimes, "bull", 0, vix_average=14.5)

        interval = MarketRegime.objects.get()
        observed = RegimeHistory.objects.get(id=receipt.id)
        assert receipt.outcome is WriteOutcome.STORED
        assert (interval.regime_type, interval.started_at, interval.ended_at) == ("BULL", NOON, None)
        assert (interval.account_id, interval.detector, interval.vix_average) == (regimes.account.id, "TREND", 14.5)
        assert (observed.market_regime_id, observed.previous_regime_type) == (interval.id, "")

    def test_another_type_closes_it_and_opens_the_next(self, regimes) -> None:
        see(regimes, "BULL", 0)
        see(regimes, "BEAR", 2)
        see(regimes, "CRISIS", 3)

        assert intervals() == [("BULL", at(0), at(2)), ("BEAR", at(2), at(3)), ("CRISIS", at(3), None)]
        assert list(RegimeHistory.objects.order_by("timestamp").values_list("previous_regime_type", flat=True)) == [
            "", "BULL", "BEAR",
        ]  # fmt: skip

    def test_the_same_type_is_an_observation_of_it(self, regimes) -> None:
        see(regimes, "BULL", 0)
        see(regimes, "BULL", 1, confidence_score=0.9)

        assert intervals() == [("BULL", at(0), None)]
        assert RegimeHistory.objects.filter(market_regime=MarketRegime.objects.get()).count() == 2

    def test_a_late_observation_is_kept_and_rewrites_nothing(self, regimes) -> None:
        see(regimes, "BULL", 0)
        see(regimes, "BEAR", 2)
        before = intervals()

        late = [see(regimes, kind, hours).id for kind, hours in (("CRISIS", 1), ("BULL", 1.5), ("STABLE", -1))]

        assert intervals() == before
        bull = MarketRegime.objects.get(regime_type="BULL")
        found = {row.id: row.market_regime_id for row in RegimeHistory.objects.filter(id__in=late)}
        assert [found[key] for key in late] == [None, bull.id, None]

    def test_two_types_at_one_moment_leave_the_first(self, regimes) -> None:
        see(regimes, "BULL", 0)
        see(regimes, "BEAR", 0)

        assert intervals() == [("BULL", at(0), None)]
        assert RegimeHistory.objects.count() == 2

    def test_one_observation_told_twice_counts_once(self, regimes) -> None:
        key = new_id()
        see(regimes, "BULL", 0, regime_id=key)
        see(regimes, "BEAR", 1)

        assert see(regimes, "BULL", 0, regime_id=key).outcome is WriteOutcome.DUPLICATE
        with pytest.raises(KeyReusedError) as caught:
            see(regimes, "CRISIS", 2, regime_id=key)

        assert caught.value.field == "regime_id"
        assert intervals() == [("BULL", at(0), at(1)), ("BEAR", at(1), None)]

    def test_never_overlap_nor_gap_whatever_comes(self, regimes) -> None:
        seeded = random.Random(7)
        for _ in range(60):
            see(regimes, seeded.choice(["BULL", "BEAR", "CRISIS"]), seeded.randrange(50))

        found = intervals()
        assert found[-1][2] is None
        assert all(one[2] == following[1] for one, following in itertools.pairwise(found))
        assert all(one[0] != following[0] for one, following in itertools.pairwise(found))


class TestStreams:
    def test_of_account_detector_and_symbol_run_apart(self, regimes) -> None:
        market = RegimeLogger(detector="TREND")
        see(market, "CRISIS", 0)
        see(regimes, "BULL", 0)
        see(regimes, "BEAR", 1, detector="ENTROPY")
        see(regimes, "STABLE", 2, symbol="AAPL")
        see(regimes, "SIDEWAYS", 3, symbol=("AAPL", "XNAS"))

        assert MarketRegime.objects.filter(ended_at=None).count() == 5
        assert market.current_regime().regime_type == "CRISIS"
        assert regimes.current_regime().regime_type == "BULL"
        assert regimes.current_regime(detector="ENTROPY").regime_type == "BEAR"
        assert regimes.current_regime("AAPL").regime_type == "STABLE"
        assert regimes.current_regime(("AAPL", "XNAS")).regime_type == "SIDEWAYS"
        assert regimes.current_regime("MSFT") is None

    def test_a_backtest_never_moves_the_live_regime(self) -> None:
        live, market = RegimeLogger(friren.open_account("live", environment="LIVE")), RegimeLogger()
        see(live, "BULL", 0)
        see(market, "STABLE", 0)

        see(RegimeLogger(friren.open_account("run", environment="BACKTEST")), "CRISIS", 1)

        assert live.current_regime().regime_type == "BULL"
        assert market.current_regime().regime_type == "STABLE"

    @pytest.mark.parametrize("turn", range(3))
    def test_many_writers_leave_one_open_interval(self, regimes, turn) -> None:
        kinds = ["BULL", "BEAR", "CRISIS", "STABLE"]

        def write(number: int) -> WriteOutcome:
            try:
                return see(regimes, kinds[number % 4], number // 4, symbol="AAPL" if number % 2 else None).outcome
            finally:
                connections.close_all()

        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(write, range(32)))

        assert outcomes == [WriteOutcome.STORED] * 32
        assert RegimeHistory.objects.count() == 32
        for symbol in (None, "AAPL"):
            found = intervals(**({"symbol": None} if symbol is None else {"symbol__ticker": symbol}))
            assert sum(end is None for _, _, end in found) == 1
            assert all(one[2] == following[1] for one, following in itertools.pairwise(found))


class TestReads:
    def test_the_regime_at_a_moment_is_the_last_one_seen_by_then(self, regimes) -> None:
        see(regimes, "BULL", 0)
        see(regimes, "BEAR", 2)
        see(regimes, "CRISIS", 1, symbol="AAPL")

        assert regimes.regime_at(at(-1)) is None
        assert [regimes.regime_at(at(hours)).regime_type for hours in (0, 1.9, 2, 99)] == [
            "BULL",
            "BULL",
            "BEAR",
            "BEAR",
        ]
        assert regimes.regime_at(at(5), "AAPL").regime_type == "CRISIS"
        assert regimes.regime_at(at(5), detector="OTHER") is None

    def test_history_filters_join(self, regimes) -> None:
        see(RegimeLogger(detector="TREND"), "BULL", 0)
        first = see(regimes, "BULL", 0)
        see(regimes, "BEAR", 1)
        see(regimes, "BULL", 2, detector="ENTROPY")
        last = see(regimes, "BULL", 3, indicators_used={"adx": 31.5})

        page = regimes.get_regime_history(detector="TREND", regime_type="bull")

        assert [row.id for row in page] == [last.id, first.id]
        assert page[0].indicators_used == {"adx": 31.5}
        assert [row.id for row in regimes.get_regime_history(start=at(3))] == [last.id]
        assert len(regimes.get_regime_history(limit=2)) == 2
        assert regimes.get_regime_history("AAPL") == []
