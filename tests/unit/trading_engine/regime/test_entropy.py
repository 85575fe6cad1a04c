"""The ENTROPY detector and its two entropies, against figures worked out elsewhere and on markets beyond doubt."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from friren.errors import RejectedRecordError
from trading_engine.regime import BULL, CRISIS, HIGH_VOLATILITY, SIDEWAYS, EntropyDetector, EntropyParameters
from trading_engine.regime.entropies import permutation_entropy, quantile_edges, relative_entropy

SMALL = EntropyParameters(
    recent_bars=20, usual_bars=60, usual_bars_min=40, bins=4, order_bars=40, trend_bars=40, high_bars=40, confirmation=2
)


def walk(*legs, seed=5):
    """Return closes from legs of (bars, drift per bar, deviation per bar)."""
    noise, closes, level = random.Random(seed), [], math.log(100)
    for bars, drift, deviation in legs:
        for _ in range(bars):
            level += drift + noise.gauss(0, deviation)
            closes.append(round(math.exp(level), 6))
    return closes


def readings(bars, **kwargs):
    detector = EntropyDetector(**kwargs)
    return [detector.on_bar(bar) for bar in bars]


class TestEntropies:
    @pytest.mark.parametrize(("order", "bits"), [(2, 0.9182958340544896), (3, 1.521928094887362)])
    def test_permutation_entropy_is_that_of_bandt_and_pompe(self, order, bits):
        # The example of their paper, page 1: H(2) = 0.918, H(3) = 1.522 bits.
        found = permutation_entropy([4, 7, 9, 10, 6, 11, 3], order=order)

        assert found * math.log2(math.factorial(order)) == pytest.approx(bits)

    def test_a_random_walk_comes_near_its_own_permutation_entropy(self):
        found = permutation_entropy(walk((20_000, 0.0, 0.01)))

        assert found == pytest.approx(2.5 / math.log2(6), abs=0.003)

    def test_what_is_distributed_as_usual_diverges_by_nothing(self):
        usual = [float(value) for value in range(100)]

        assert relative_entropy(usual, quantile_edges(usual, bins=10)) == (
            pytest.approx(0, abs=1e-12), pytest.approx(0.2),
        )  # fmt: skip

    def test_what_lies_in_one_part_alone_diverges_by_the_logarithm_of_their_number(self):
        edges = quantile_edges([float(value) for value in range(100)], bins=10)

        assert relative_entropy([1000.0] * 7, edges) == (pytest.approx(math.log(10)), 1.0)


class TestRegimes:
    @pytest.mark.parametrize(
        ("legs", "expected"),
        [
            ([(700, 0.002, 0.005)], BULL),
            ([(700, 0.001, 0.005), (63, 0.003, 0.02)], HIGH_VOLATILITY),
            ([(700, 0.001, 0.005), (63, -0.006, 0.02)], CRISIS),
        ],
    )
    def test_recognises_what_is_beyond_doubt(self, legs, expected, make_bars):
        last = readings(make_bars(walk(*legs)))[-1]

        assert last.regime_type == expected
        assert 0.5 <= last.confidence <= 1

    def test_says_nothing_before_it_has_a_usual_distribution(self, make_bars):
        seen = readings(make_bars(walk((506, 0.001, 0.01))))

        assert seen[:504] == [None] * 504
        assert seen[504].regime_type == "UNKNOWN"

    def test_calls_a_market_that_does_not_move_sideways(self, make_bars):
        last = readings(make_bars([100] * 90), parameters=SMALL)[-1]

        assert last.regime_type == SIDEWAYS
        assert last.indicators["divergence"] == pytest.approx(0, abs=1e-9)
        assert all(math.isfinite(figure) for figure in last.indicators.values())

    @settings(max_examples=25)
    @given(
        steps=st.lists(st.floats(-0.2, 0.2), min_size=90, max_size=140),
        other=st.lists(st.floats(-0.2, 0.2), max_size=40),
        cut=st.integers(70, 90),
    )
    def test_reads_the_past_the_same_whatever_follows(self, steps, other, cut, make_bars_plain):
        def closes(moves):
            level, found = 100.0, []
            for move in moves:
                level *= math.exp(move)
                found.append(f"{level:.6f}")
            return make_bars_plain(found)

        whole = readings(closes(steps), parameters=SMALL)
        assert whole[:cut] == readings(closes([*steps[:cut], *other]), parameters=SMALL)[:cut]


@pytest.mark.parametrize(
    ("field", "value"),
    [("bins", 1), ("usual_bars_min", 2000), ("order_bars", 2), ("trend_bars", 505), ("confirmation", 0)],
)
def test_refuses_windows_out_of_range(field, value):
    with pytest.raises(RejectedRecordError) as refused:
        EntropyParameters(**{field: value})
    assert refused.value.field == field
