"""The books: projections of the facts, rebuilt from them at any time."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import Q

from friren.core.fields import ChoiceField, LeverageField, MoneyField, PriceField, QuantityField
from friren.core.models import ProjectionModel
from friren.core.numbers import CONTEXT
from portfolio_manager.accounting import average_price, liquidation_distance
from portfolio_manager.models.choices import FillRole, LedgerKind, PositionStatus, Side
from portfolio_manager.models.positions import PositionQuerySet
from trading_engine.models.choices import ExitReason, InstrumentType, RegimeType
from trading_engine.models.relations import fact_key, soft_key

__all__ = ["AccountState", "LedgerEntry", "Position", "PositionFill"]

_PREDICTION = Q(instrument_type=InstrumentType.PREDICTION)


def exactly_one(*fields: str) -> Q:
    """Return the condition that one of `fields` is set and the others are null."""
    condition = Q()
    for one in fields:
        condition |= Q(**{f"{field}__isnull": field != one for field in fields})
    return condition


class Position(ProjectionModel):
    """
    What is held, or was: a closed position is a round trip.

    Stores sums, never an average: the entry price is opened_cost / (opened_quantity × multiplier).
    The marks (`current_price` … `marked_at`) come from `mark_to_market`, not from the fold.
    """

    account = fact_key("core.Account")
    instrument_type = ChoiceField(max_length=12, choices=InstrumentType, default=InstrumentType.EQUITY)
    symbol = fact_key("trading_engine.Symbol", related_name="positions", optional=True)
    market = soft_key("trading_engine.PredictionMarket", "market_id", related_name="positions")
    pair = fact_key("trading_engine.TradingPair", related_name="positions", optional=True)
    strategy_used = models.CharField(max_length=255, blank=True)
    side = ChoiceField(max_length=5, choices=Side)
    slot = models.CharField(max_length=40, blank=True)
    trade = models.OneToOneField("trading_engine.Trade", on_delete=models.PROTECT, related_name="position")
    round_trip = models.UUIDField(null=True, blank=True)
    quantity = QuantityField()
    total_cost = MoneyField()
    opened_quantity = QuantityField()
    opened_cost = MoneyField()
    closed_quantity = QuantityField(default=0)
    closed_proceeds = MoneyField(default=0)
    realized_pnl = MoneyField(default=0)
    commission = MoneyField(default=0)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    exit_reason = ChoiceField(max_length=12, choices=ExitReason, blank=True)
    regime_at_entry = ChoiceField(max_length=20, choices=RegimeType, blank=True)
    stop_loss_price = PriceField(null=True, blank=True)
    target_price = PriceField(null=True, blank=True)
    leverage = LeverageField(null=True, blank=True)
    current_price = PriceField(null=True, blank=True)
    current_value = MoneyField(null=True, blank=True)
    unrealized_pnl = MoneyField(null=True, blank=True)
    margin = MoneyField(null=True, blank=True)
    liquidation_price = PriceField(null=True, blank=True)
    marked_at = models.DateTimeField(null=True, blank=True)
    status = ChoiceField(max_length=8, choices=PositionStatus, default=PositionStatus.OPEN)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = PositionQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                # Spot and leveraged holdings of one symbol never net, so the type is part of the key.
                fields=["account", "instrument_type", "symbol", "market", "strategy_used", "slot"],
                name="one_open_position",
                nulls_distinct=False,
                condition=Q(status=PositionStatus.OPEN),
            ),
            models.CheckConstraint(condition=exactly_one("symbol", "market"), name="ck_position_instrument"),
            models.CheckConstraint(
                condition=(_PREDICTION & Q(market__isnull=False, side__in=(Side.YES, Side.NO)))
                | (~_PREDICTION & Q(market__isnull=True, side__in=(Side.LONG, Side.SHORT))),
                name="ck_position_shape",
            ),
            models.CheckConstraint(
                condition=Q(status=PositionStatus.CLOSED, closed_at__isnull=False, quantity=0)
                | Q(status=PositionStatus.OPEN, closed_at__isnull=True, quantity__gt=0),
                name="ck_position_status",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account", "status", "-opened_at"], name="position_by_account"),
            models.Index(fields=["symbol", "status"], name="position_by_symbol"),
            models.Index(fields=["status"], name="position_by_status"),
            models.Index(fields=["market"], name="position_by_market", condition=Q(market__isnull=False)),
            models.Index(fields=["account", "pair"], name="position_by_pair", condition=Q(pair__isnull=False)),
            models.Index(fields=["opened_at"], name="position_opened"),
            models.Index(fields=["side"], name="position_by_side"),
            models.Index(
                fields=["account", "-closed_at"], name="position_closed", condition=Q(closed_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity.normalize():f} ({self.status})"

    @property
    def entry_price(self) -> Decimal | None:
        """The average price of what was added, per unit of today (after splits)."""
        return average_price(self.opened_cost, self.opened_quantity, self._multiplier)

    @property
    def exit_price(self) -> Decimal | None:
        """The average price of what was taken out; None before anything was."""
        return average_price(self.closed_proceeds, self.closed_quantity, self._multiplier)

    @property
    def liquidation_distance(self) -> Decimal | None:
        """How far the last mark is from liquidation, as a share of the price; None of what is not leveraged."""
        return liquidation_distance(self.current_price, self.liquidation_price)

    @property
    def pnl_percent(self) -> Decimal | None:
        """The realised profit in percent of the cost of what was taken out; None where that is 0."""
        cost = CONTEXT.subtract(self.opened_cost, self.total_cost).copy_abs()
        return average_price(CONTEXT.multiply(self.realized_pnl, Decimal(100)), cost, Decimal(1))

    @property
    def _multiplier(self) -> Decimal:
        return Decimal(1) if self.symbol is None else self.symbol.multiplier


class PositionFill(ProjectionModel):
    """
    The effect of one fact on one position, with the running state after it.

    A fill that crosses zero has two legs: leg 0 closes, leg 1 opens the next position.
    """

    account = fact_key("core.Account")
    position = models.ForeignKey(Position, on_delete=models.CASCADE, db_index=False, related_name="fills")
    trade = fact_key("trading_engine.Trade", related_name="fills", optional=True)
    corporate_action = fact_key("portfolio_manager.CorporateAction", related_name="fills", optional=True)
    resolution = fact_key("portfolio_manager.MarketResolution", related_name="fills", optional=True)
    leg = models.SmallIntegerField(default=0)
    role = ChoiceField(max_length=10, choices=FillRole)
    executed_at = models.DateTimeField()
    quantity = QuantityField()
    cost = MoneyField()
    realized_pnl = MoneyField(default=0)
    commission = MoneyField(default=0)
    quantity_after = QuantityField()
    total_cost_after = MoneyField()
    realized_pnl_after = MoneyField()
    lots_after = models.JSONField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["trade", "leg"], name="fill_leg"),
            models.UniqueConstraint(fields=["corporate_action", "position"], name="fill_action"),
            models.UniqueConstraint(fields=["resolution", "position"], name="fill_resolution"),
            models.CheckConstraint(
                condition=exactly_one("trade", "corporate_action", "resolution"), name="ck_fill_source"
            ),
            models.CheckConstraint(condition=Q(leg__gte=0, leg__lte=1), name="ck_fill_leg"),
            models.CheckConstraint(
                condition=Q(role=FillRole.SPLIT, corporate_action__isnull=False)
                | (~Q(role=FillRole.SPLIT) & Q(corporate_action__isnull=True)),
                name="ck_fill_split",
            ),
            models.CheckConstraint(
                condition=Q(role=FillRole.RESOLVE, resolution__isnull=False)
                | (~Q(role=FillRole.RESOLVE) & Q(resolution__isnull=True)),
                name="ck_fill_resolve",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["position", "executed_at", "id"], name="fill_by_position")]

    def __str__(self) -> str:
        return f"{self.role} {self.quantity.normalize():f}"


class LedgerEntry(ProjectionModel):
    """One change of cash. The balance of a currency is the sum of its entries, always."""

    account = fact_key("core.Account")
    kind = ChoiceField(max_length=12, choices=LedgerKind)
    currency = models.CharField(max_length=10)
    amount = MoneyField()
    occurred_at = models.DateTimeField()
    trade = fact_key("trading_engine.Trade", related_name="ledger", optional=True)
    cash_movement = fact_key("portfolio_manager.CashMovement", related_name="ledger", optional=True)
    corporate_action = fact_key("portfolio_manager.CorporateAction", related_name="ledger", optional=True)
    resolution = fact_key("portfolio_manager.MarketResolution", related_name="ledger", optional=True)
    position = models.ForeignKey(
        Position, on_delete=models.CASCADE, null=True, blank=True, db_index=False, related_name="+"
    )

    class Meta:
        verbose_name_plural = "Ledger entries"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["trade", "cash_movement", "corporate_action", "resolution", "position", "kind"],
                name="ledger_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=exactly_one("trade", "cash_movement", "corporate_action", "resolution"),
                name="ck_ledger_source",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account", "occurred_at", "id"], name="ledger_by_account"),
            models.Index(fields=["position"], name="ledger_by_position", condition=Q(position__isnull=False)),
            models.Index(fields=["cash_movement"], name="ledger_by_cash", condition=Q(cash_movement__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount.normalize():f} {self.currency}"


class AccountState(models.Model):
    """
    Where an account's books stand; the row that whoever books locks (FOR NO KEY UPDATE).

    Every fact with a `recorded_seq` up to `booked_seq` is booked. `horizon_seq` and `horizon_xid` are
    the next candidate: it becomes `booked_seq` once every transaction older than the xid has ended.
    """

    account = models.OneToOneField("core.Account", primary_key=True, on_delete=models.PROTECT, related_name="state")
    balance = MoneyField(default=0, help_text="In the account's base currency.")
    balances = models.JSONField(default=dict, blank=True, help_text="Other currencies, as text.")
    total_invested = MoneyField(default=0)
    total_profit_loss = MoneyField(default=0)
    trade_count = models.BigIntegerField(default=0)
    booked_seq = models.BigIntegerField(default=0)
    horizon_seq = models.BigIntegerField(default=0)
    horizon_xid = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(trade_count__gte=0, booked_seq__gte=0), name="ck_state_counts")
        ]

    def __str__(self) -> str:
        return f"balance {self.balance.normalize():f}"
