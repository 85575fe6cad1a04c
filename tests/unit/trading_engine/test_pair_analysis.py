"""Pairs, estimated: the reference figures of real pairs, and nothing that comes from the future."""

from __future__ import annotations

import csv
import math
import random

import numpy as np
import pytest
import statsmodels.api as sm

from friren.errors import RejectedRecordError
from trading_engine.pairs.analysis import OBSERVATIONS_MIN, cointegration_of, estimate_pair, fit_line, stability_of
from trading_engine.strategies import ENTRY_LONG, EXIT_LONG, Pairs, create_pair_strategy
from trading_engine.strategies.pairs import ENTRY_SHORT, EXIT_SHORT, STOP_SHORT


def closes_of(path, first, second, since=""):
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if not since or row["date"] >= since]
    return [float(row[first]) for row in rows], [float(row[second]) for row in rows]


def walk(bars=300, *, seed=7, ratio=2.0, back=0.2):
    """Two made-up series whose spread comes back by `back` every bar."""
    rng = random.Random(seed)
    second, spread, made = 50.0, 0.0, ([], [])
    for _ in range(bars):
        second += rng.gauss(0, 0.5)
        spread += -back * spread + rng.gauss(0, 1)
        made[0].append(20 + ratio * second + spread)
        made[1].append(second)
    return made


@pytest.fixture
def estimate():
    return estimate_pair(*walk())


class TestReference:
    def test_figures_of_xlf_and_xlk(self, shared_data) -> None:
        found = estimate_pair(*closes_of(shared_data / "pairs/xlf_xlk_2018_2020.csv", "XLF", "XLK"))

        assert found.observations == 726
        assert (round(found.hedge_ratio, 10), round(found.t_statistic, 8)) == (-0.0349418401, -3.25065981)
        assert (round(found.pvalue, 8), round(found.half_life, 3)) == (0.06185644, 31.888)

    def test_figures_of_bac_and_jpm_since_2013(self, shared_data) -> None:
        path = shared_data / "pairs/us20_close_1989_2018.csv"
        found = estimate_pair(*closes_of(path, "BAC", "JPM", since="2013-01-01"))

        assert found.observations == 1328
        assert (round(found.hedge_ratio, 10), round(found.t_statistic, 8)) == (0.2693488100, -2.23351140)
        assert (round(found.pvalue, 8), round(found.half_life, 4)) == (0.40715568, 102.0891)

    def test_line_and_half_life_are_those_of_statsmodels(self) -> None:
        one, other = (np.array(closes) for closes in walk())
        fitted = sm.OLS(one, sm.add_constant(other)).fit().params
        spread = one - fitted[1] * other
        slope = sm.OLS(np.diff(spread), sm.add_constant(spread[:-1])).fit().params[1]
        found = estimate_pair(one, other)

        assert (found.intercept, found.hedge_ratio) == pytest.approx(tuple(fitted), rel=1e-9)
        assert found.half_life == pytest.approx(-math.log(2) / slope, rel=1e-9)


class TestEstimate:
    def test_finds_a_pair_that_was_made_one(self, estimate) -> None:
        assert estimate.pvalue < 0.01
        assert estimate.hedge_ratio == pytest.approx(2.0, abs=0.15)
        assert estimate.half_life == pytest.approx(math.log(2) / 0.2, rel=0.5)

    def test_does_not_find_one_among_two_walks_of_their_own(self) -> None:
        assert estimate_pair(walk(seed=1)[1], walk(seed=2)[1]).pvalue > 0.1

    def test_of_a_spread_that_does_not_come_back_has_no_half_life(self) -> None:
        away = [1.02**number for number in range(200)]
        other = [50 + math.sin(number) for number in range(200)]

        assert estimate_pair(away, other).half_life is None

    def test_of_one_line_is_certain(self) -> None:
        other = walk()[1]
        found = estimate_pair([3 + 2 * close for close in other], other)

        assert (found.pvalue, round(found.hedge_ratio, 9), round(found.stability, 6)) == (0.0, 2.0, 1.0)

    @pytest.mark.parametrize(
        ("first", "second", "rule"),
        [
            ([1.0] * 80, [1.0] * 79, "as many"),
            ([1.0, 2.0] * 10, [1.0, 2.0] * 10, str(OBSERVATIONS_MIN)),
            ([5.0] * 80, [1.0, 2.0] * 40, "change"),
            ([1.0, math.nan] * 40, [1.0, 2.0] * 40, "finite"),
        ],
    )
    def test_refuses_closes_that_say_nothing(self, first, second, rule) -> None:
        with pytest.raises(RejectedRecordError, match=rule):
            estimate_pair(first, second)


def test_stability_is_higher_where_the_ratio_stays() -> None:
    steady, other = (np.array(closes) for closes in walk(back=0.9))
    changed = np.concatenate([steady[:150], steady[150:] + 4 * (other[150:] - other[150])])

    assert 0 < stability_of(changed, other) < stability_of(steady, other) <= 1


class TestStrategy:
    def test_says_nothing_other_when_the_future_is_cut_off(self, make_bars) -> None:
        bars = [
            make_bars([round(close, 6) for close in closes], symbol=name)
            for name, closes in zip("AB", walk(), strict=True)
        ]
        said = advice_of(Pairs(lookback=80, refit=40), *bars)

        assert said
        for end in (120, 200, 299):
            cut = advice_of(Pairs(lookback=80, refit=40), *(series[:end] for series in bars))
            assert cut == [one for one in said if one[0] < end]

    def test_enters_far_from_the_mean_and_leaves_near_it(self, make_bars) -> None:
        bars = [
            make_bars([round(close, 6) for close in closes], symbol=name)
            for name, closes in zip("AB", walk(), strict=True)
        ]
        said = [advice for _bar, advice in advice_of(Pairs(lookback=80, max_pvalue=1), *bars)]

        entries, exits = said[::2], said[1::2]
        assert {one.kind for one in entries} == {ENTRY_LONG, ENTRY_SHORT}
        assert all(2 <= abs(one.z_score) < 4 for one in entries)
        assert all((one.z_score < 0) == (one.kind == ENTRY_LONG) for one in entries)
        for entry, out in zip(entries, exits, strict=False):
            assert out.kind in {EXIT_LONG, "STOP_LONG"} if entry.kind == ENTRY_LONG else {EXIT_SHORT, STOP_SHORT}
            assert out.hedge_ratio == entry.hedge_ratio  # judged by what it was entered by

    @pytest.mark.parametrize(
        ("after", "max_bars", "kind", "reason"),
        [([40.0], 63, STOP_SHORT, "STOP"), ([3.0] * 5, 3, EXIT_SHORT, "TIMEOUT"), ([0.0], 63, EXIT_SHORT, "SIGNAL")],
    )
    def test_ends_by_stop_by_time_or_at_the_mean(self, make_bars, after, max_bars, kind, reason) -> None:
        second = [50 + math.sin(number) for number in range(70)] + [50.0] * (1 + len(after))
        spread = [math.cos(3 * number) for number in range(70)] + [3.0, *after]
        first = [round(2 * close + gap, 6) for close, gap in zip(second, spread, strict=True)]
        bars = make_bars(first, symbol="A"), make_bars([round(close, 6) for close in second], symbol="B")

        (_, entry), (_, out), *_rest = advice_of(Pairs(lookback=60, max_pvalue=1, max_bars=max_bars, stop_z=9), *bars)

        assert (entry.kind, out.kind, out.reason) == (ENTRY_SHORT, kind, reason)

    def test_enters_nothing_that_is_not_cointegrated(self, make_bars) -> None:
        bars = [
            make_bars([round(close, 6) for close in walk(seed=seed)[1]], symbol=name)
            for name, seed in (("A", 1), ("B", 2))
        ]

        assert advice_of(Pairs(lookback=80, refit=40, max_pvalue=1e-9), *bars) == []

    @pytest.mark.parametrize(
        "wrong", [{"lookback": 10}, {"exit_z": 3.0}, {"stop_z": 1.0}, {"max_pvalue": 0}, {"refit": 0}, {"speed": 3}]
    )
    def test_refuses_parameters_that_make_no_sense(self, wrong) -> None:
        with pytest.raises(RejectedRecordError):
            create_pair_strategy("pairs", **wrong)


def advice_of(strategy, first, second):
    """What a strategy says, with the number of the bar it says it at."""
    said = [(number, strategy.on_bars(*both)) for number, both in enumerate(zip(first, second, strict=True))]
    return [(number, advice) for number, advice in said if advice is not None]


def test_the_test_is_the_one_of_statsmodels() -> None:
    from statsmodels.tsa.stattools import coint

    one, other = (np.array(closes) for closes in walk(120))

    assert cointegration_of(one, other) == coint(one, other)[:2]
    assert fit_line(one, other).slope == pytest.approx(np.polyfit(other, one, 1)[0])
