"""What the books add to pages of the floors below: where an account stands, what a trade did."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, F, Max, Q, Sum
from django.db.models.functions import Coalesce

from friren.core.models import Account
from friren.core.numbers import plain
from friren.operations.admin.columns import changelist_link, shown
from friren.operations.admin.panels import Panel, register_panel, related
from portfolio_manager.models import (
    AccountState,
    CashMovement,
    CorporateAction,
    LedgerEntry,
    MarketResolution,
    PeriodCheckpoint,
    Position,
    PositionFill,
    RiskMetrics,
)
from portfolio_manager.models.choices import PositionStatus
from trading_engine.models import Order, PredictionMarket, Symbol, Trade

__all__ = ["account_overview"]

_OPEN = Q(status=PositionStatus.OPEN)


def account_overview(account: Account) -> Panel:
    """Return where an account stands, as last booked and marked; two queries however much it traded."""
    state = AccountState.objects.filter(account=account.pk).first()
    if state is None:
        return Panel("Overview", [("Books", "nothing is booked yet")])
    positions: list[Any] = list(
        Position.objects.filter(account=account.pk)
        .values(currency=Coalesce(F("symbol__currency"), F("account__base_currency")))
        .annotate(
            open=Count("id", filter=_OPEN),
            closed=Count("id", filter=~_OPEN),
            unmarked=Count("id", filter=_OPEN & Q(unrealized_pnl__isnull=True)),
            value=Sum("current_value", filter=_OPEN),
            unrealized=Sum("unrealized_pnl", filter=_OPEN),
            realized=Sum("realized_pnl"),
            commission=Sum("commission"),
            marked_at=Max("marked_at", filter=_OPEN),
        )
        .order_by("currency")
    )
    return Panel("Overview", _money(account, state) + _holdings(account, positions) + [
        ("Trades", changelist_link(Trade, f"{state.trade_count} booked", account=account.pk)),
        ("Books as of", shown(state.updated_at)),
    ])  # fmt: skip


def _money(account: Account, state: AccountState) -> list[tuple[str, Any]]:
    balances = [("Balance", f"{plain(state.balance)} {account.base_currency}")]
    return balances + [(f"Balance, {currency}", f"{amount} {currency}") for currency, amount in state.balances.items()]


def _holdings(account: Account, positions: list[Any]) -> list[tuple[str, Any]]:
    """Return a line per figure and currency: sums over currencies would mean nothing."""
    counts = {name: sum(row[name] for row in positions) for name in ("open", "closed", "unmarked")}
    lines: list[tuple[str, Any]] = [
        (
            "Positions",
            changelist_link(
                Position, f"{counts['open']} open, {counts['closed']} closed", account=account.pk, status__exact="open"
            ),
        )
    ]
    for row in positions:
        marked = row["unrealized"] is not None
        lines += [
            ("Realised profit", _amount(row["realized"], row["currency"])),
            ("Commission", _amount(row["commission"], row["currency"])),
            ("Value of open positions", _amount(row["value"], row["currency"]) if marked else "not marked yet"),
            ("Unrealised profit", _amount(row["unrealized"], row["currency"]) if marked else "not marked yet"),
        ]
    marks = [row["marked_at"] for row in positions if row["marked_at"] is not None]
    if marks:
        left_out = f", {counts['unmarked']} open without a mark" if counts["unmarked"] else ""
        lines.append(("Marked at", f"{max(marks):%Y-%m-%d %H:%M} UTC{left_out}"))
    return lines


def _amount(value: Any, currency: str) -> str:
    return f"{plain(value)} {currency}" if value is not None else "–"


POSITION_COLUMNS = ("opened_at", "symbol", "side", "quantity", "realized_pnl", "unrealized_pnl", "strategy_used")
FILL_COLUMNS = ("executed_at", "role", "position", "quantity", "cost", "realized_pnl")
LEDGER_COLUMNS = ("occurred_at", "kind", "amount", "currency")

register_panel(Account, account_overview, place=1)
register_panel(
    Account,
    related(Position, "account", *POSITION_COLUMNS, order=("-opened_at",), title="Open positions", status="open"),
    place=10,
)
register_panel(
    Account,
    related(Position, "account", "closed_at", "symbol", "side", "opened_quantity", "realized_pnl", "strategy_used",
            order=("-closed_at",), title="Latest closed positions", status="closed", closed_at__isnull=False),
    related(LedgerEntry, "account", *LEDGER_COLUMNS, "trade", order=("-occurred_at", "-id"), title="Latest cash"),
    related(RiskMetrics, "account", "as_of_date", "portfolio_value", "total_exposure", "var_estimate",
            order=("-as_of_date",), title="Latest risk"),
    related(PeriodCheckpoint, "account", "closes_at", "cash", "trade_count", order=("-closes_at",),
            title="Closed periods"),
    place=60,
)  # fmt: skip
register_panel(
    Order,
    related(PositionFill, "trade__order", *FILL_COLUMNS, order=("executed_at", "id"), title="Effect on positions"),
)
register_panel(
    Trade,
    related(PositionFill, "trade", *FILL_COLUMNS, order=("leg",), title="Effect on positions"),
    related(LedgerEntry, "trade", *LEDGER_COLUMNS, order=("kind",), title="Cash"),
    place=10,
)
register_panel(
    Position,
    related(PositionFill, "position", "executed_at", "role", "trade", "quantity", "cost", "realized_pnl",
            "quantity_after", order=("executed_at", "id"), title="Fills"),
    related(LedgerEntry, "position", *LEDGER_COLUMNS, "trade", order=("occurred_at", "id"), title="Cash"),
)  # fmt: skip
# The first columns of the index they are found by stand null here.
register_panel(
    CashMovement,
    related(CashMovement, "corrects", "occurred_at", "kind", "amount", "currency", order=("id",), title="Corrected by"),
    related(LedgerEntry, "cash_movement", *LEDGER_COLUMNS, order=("kind",), title="Cash", trade__isnull=True),
)
for fact, name in ((CorporateAction, "corporate_action"), (MarketResolution, "resolution")):
    register_panel(
        fact,
        related(PositionFill, name, *FILL_COLUMNS, order=("executed_at", "id"), title="Effect on positions"),
        related(LedgerEntry, name, *LEDGER_COLUMNS, order=("kind",), title="Cash", trade__isnull=True,
                cash_movement__isnull=True),
    )  # fmt: skip
register_panel(
    Symbol,
    related(Position, "symbol", *POSITION_COLUMNS, "account", order=("-opened_at",), title="Open positions",
            status="open"),
    place=10,
)  # fmt: skip
register_panel(
    PredictionMarket,
    related(MarketResolution, "market", "resolved_at", "account", "outcome", "yes_payout", "source",
            order=("-resolved_at",), key="market_id"),
    related(Position, "market", "opened_at", "account", "side", "quantity", "realized_pnl", "status",
            order=("-opened_at",), key="market_id"),
)  # fmt: skip
