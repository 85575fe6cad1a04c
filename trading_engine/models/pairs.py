"""Pairs of symbols that are traded against each other, and the backtests that traded them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from friren.core.fields import StatField
from friren.core.triggers import frozen_columns
from trading_engine.models.relations import fact_key

__all__ = ["BacktestPair", "TradingPair"]


class TradingPair(models.Model):
    """
    Two symbols whose spread is traded: `symbol_1` against `hedge_ratio` units of `symbol_2`.

    The figures are those of the last estimate over `lookback_days`; null where one is undefined, such as the half-life
    of a spread that does not return.
    """

    symbol_1 = fact_key("trading_engine.Symbol", related_name="pairs_as_first")
    symbol_2 = fact_key("trading_engine.Symbol", related_name="pairs_as_second")
    cointegration_pvalue = StatField()
    half_life = StatField(null=True, blank=True, help_text="Days.")
    correlation = StatField()
    hedge_ratio = StatField()
    lookback_days = models.PositiveIntegerField(default=252)
    stability_score = StatField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["symbol_1", "symbol_2"], name="unique_trading_pair"),
            models.CheckConstraint(
                condition=~Q(symbol_1=F("symbol_2")),
                name="ck_pair_symbols",
                violation_error_code="symbol_2",
                violation_error_message="must not be symbol_1",
            ),
            models.CheckConstraint(
                condition=Q(cointegration_pvalue__gte=0, cointegration_pvalue__lte=1),
                name="ck_pair_pvalue",
                violation_error_code="cointegration_pvalue",
                violation_error_message="must be between 0 and 1",
            ),
            models.CheckConstraint(
                condition=Q(correlation__gte=-1, correlation__lte=1),
                name="ck_pair_correlation",
                violation_error_code="correlation",
                violation_error_message="must be between -1 and 1",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["symbol_2"], name="tradingpair_second"),
            models.Index(fields=["cointegration_pvalue"], name="tradingpair_pvalue"),
            models.Index(fields=["is_active"], name="tradingpair_active"),
            models.Index(fields=["stability_score"], name="tradingpair_stability"),
        ]
        # Facts name a pair by its symbols.
        triggers: ClassVar = [frozen_columns("symbol_1", "symbol_2")]

    def __str__(self) -> str:
        return f"{self.symbol_1.ticker}/{self.symbol_2.ticker} (p={self.cointegration_pvalue:.4f})"


class BacktestPair(models.Model):
    """That a backtest traded a pair."""

    account = fact_key("core.Account")
    backtest = models.ForeignKey("trading_engine.BacktestRun", on_delete=models.CASCADE, db_index=False)
    pair = fact_key("trading_engine.TradingPair")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["backtest", "pair"], name="backtest_pair")]
        indexes: ClassVar = [models.Index(fields=["pair"], name="backtestpair_by_pair")]

    def __str__(self) -> str:
        return f"{self.backtest_id} {self.pair_id}"
