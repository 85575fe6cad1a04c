"""Keep the bets of an account: YES and NO tokens bought and sold for a stake, marked, and paid out in the end."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypedDict, Unpack
from uuid import UUID

from friren.accounts import AccountHandle
from friren.core.ids import natural_id
from friren.core.models import Account
from friren.core.numbers import CONTEXT, quantize
from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.facts import spec_of
from friren.persistence.receipts import Receipt, WriteOutcome
from portfolio_manager.booking.marking import Marked
from portfolio_manager.booking.reads import PositionRow
from portfolio_manager.data_logger.portfolio_tracker import PortfolioTracker
from trading_engine.latest_markets import latest_yes_prices
from trading_engine.models import PredictionMarket, Trade
from trading_engine.models.choices import Outcome
from trading_engine.services.base import AccountService
from trading_engine.system_notes import note_fact

__all__ = ["BetDetails", "PredictionTracker"]

_ONE_OF: Final = "give either the money (amount) or the tokens (quantity)"
# What both sides get back where a market ends without an answer and nobody told a price.
_HALF: Final = Decimal("0.5")


class BetDetails(TypedDict, total=False):
    """What may be told of a bet beside market, price and time: `amount` or `quantity`, and what is known of it."""

    amount: Decimal | int | None  # the stake, or what a sale brought in, without commission; or else:
    quantity: Decimal | int | None  # the tokens; the stake is quantity × price
    trade_id: UUID | str | None  # these and the others as of `TradeLogger.log_trade`
    order: Any
    market_question: str | None
    event: Any
    event_title: str | None
    event_ends_at: dt.datetime | None
    strategy_used: str | None
    model_id: str | None
    confidence_score: float | Decimal | None
    reasoning: str | None
    expected_price: Decimal | int | None
    commission: Decimal | int | None
    commission_currency: str | None
    venue: str | None
    external_id: str | None
    exit_reason: str | None
    source_pnl: Decimal | int | None
    tags: list[str] | None
    extra: dict[str, Any] | None


_KEYWORDS: Final = frozenset(BetDetails.__annotations__) | {"action", "market", "price", "timestamp"}


class PredictionTracker(AccountService):
    """
    The bets of one account. They are trades and positions like any other: `PortfolioTracker` reads them too.

    A bet is told by its stake: `amount` is what was paid, exactly, and the tokens are amount / price, rounded once,
    half-even at 18 decimals. Each is stored and booked in one commit, and noted as `last_trade_execution`.

    Args:
        account: a handle of `friren.open_account`, or the name of books that were opened; None for `default`.
    """

    def __init__(
        self,
        account: AccountHandle | Account | UUID | str | None = None,
        *,
        mode: str = "direct",
        using: str = "default",
        durability: str | None = None,
    ) -> None:
        super().__init__(account, mode=mode, using=using, durability=durability)
        self._books = PortfolioTracker(self.account, mode=mode, using=using, durability=durability)

    def buy_yes(
        self, *, market: Any, price: Decimal | int, timestamp: dt.datetime, **bet: Unpack[BetDetails]
    ) -> Receipt:
        """
        Buy tokens that pay 1 when the market ends YES.

        Args:
            market: its id, or row; it need not be stored.
            price: of one token, more than 0 and at most 1.
            timestamp: when it was filled, aware.
            bet: what BetDetails lists: `amount` or `quantity`, and what is known of the bet.

        Returns:
            STORED, or DUPLICATE when the same bet is there already.

        Raises:
            RejectedRecordError: a value breaks a rule; nothing was stored.
            KeyReusedError: the id is another trade's.
        """
        return self._bet(action="buy_yes", market=market, price=price, timestamp=timestamp, **bet)

    def buy_no(
        self, *, market: Any, price: Decimal | int, timestamp: dt.datetime, **bet: Unpack[BetDetails]
    ) -> Receipt:
        """Buy tokens that pay 1 when the market ends NO, at the price of that token. All else as for `buy_yes`."""
        return self._bet(action="buy_no", market=market, price=price, timestamp=timestamp, **bet)

    def sell_yes(
        self, *, market: Any, price: Decimal | int, timestamp: dt.datetime, **bet: Unpack[BetDetails]
    ) -> Receipt:
        """
        Sell YES tokens before the end; `amount` is what they brought in. All else as for `buy_yes`.

        What is not held is minted: a pair of tokens is bought for 1 each, and its NO tokens stay.
        """
        return self._bet(action="sell_yes", market=market, price=price, timestamp=timestamp, **bet)

    def sell_no(
        self, *, market: Any, price: Decimal | int, timestamp: dt.datetime, **bet: Unpack[BetDetails]
    ) -> Receipt:
        """Sell NO tokens before the end, at the price of that token; as `sell_yes`."""
        return self._bet(action="sell_no", market=market, price=price, timestamp=timestamp, **bet)

    def mark_from_snapshots(self, at: dt.datetime) -> Marked:
        """
        Mark what is held at the newest snapshot up to `at` of each market, as seen when that was taken.

        Returns:
            How many positions were marked, and the markets without a price, as `PortfolioTracker.mark_to_market` does.
        """
        moment = checks.check_time("at", at)
        held = self._held()
        markets = sorted({position.market for position in held or ()})
        found = None if held is None else self.recorder.derive(partial(_prices, markets, moment))
        if found is None:
            return Marked(None, ())
        by_moment: dict[dt.datetime, dict[str, Decimal]] = defaultdict(dict)
        for market, (seen_at, price) in found.items():
            by_moment[seen_at][market] = price
        count = 0
        for seen_at, prices in sorted(by_moment.items()):
            marked = self._books.mark_to_market(prices, seen_at)
            if marked.positions is None:
                return marked
            count += marked.positions
        return Marked(count, tuple(market for market in markets if market not in found))

    def resolve_decided_markets(self) -> tuple[Receipt, ...]:
        """
        Pay out what is held of markets whose stored row says how they ended: YES tokens at 1 or 0, NO tokens the rest.

        A market without an answer (INVALID) pays its last YES price, half where it has none.

        Returns:
            A receipt of each resolution, in the order of the markets' ids. DEFERRED while the database is away.
        """
        held = self._held()
        markets = sorted({position.market for position in held or ()})
        found = None if held is None else self.recorder.derive(partial(_decided, markets))
        if found is None:
            unknown = natural_id("market_resolution", self.account.id)
            return (Receipt(unknown, WriteOutcome.DEFERRED, synced=False),)
        return tuple(self._resolve(market) for market in found)

    def close(self) -> None:
        """Close it as any service, and the tracker of its books."""
        self._books.close()
        super().close()

    def _resolve(self, market: PredictionMarket) -> Receipt:
        payout = None
        if market.resolved_outcome == Outcome.INVALID:
            payout = _HALF if market.yes_price is None else market.yes_price
        return self._books.resolve_market(
            market.market_id,
            market.resolved_outcome,
            # Nobody told when: it was over when we were told so.
            market.resolved_at or market.told_at or market.updated_at,
            yes_payout=payout,
            source="venue",
        )

    def _held(self) -> list[PositionRow] | None:
        """Return the open bets; None while the database is away."""
        self.recorder.refuse_closed()
        found = self._books.get_current_positions()
        return None if found.stale or found.as_of is None else [row for row in found if row.market]

    def _bet(self, *, amount: Any = None, quantity: Any = None, **told: Any) -> Receipt:
        checks.refuse_unknown(told, known=_KEYWORDS, of=told["action"])
        fields = spec_of(Trade).fields
        if told["market"] is None:
            raise RejectedRecordError("market", None, "is required")
        stake = None if amount is None else fields["amount"].check("amount", amount)
        tokens = None if quantity is None else fields["quantity"].check("quantity", quantity)
        if (stake is None) == (tokens is None):
            raise RejectedRecordError("amount", amount, _ONE_OF)
        if stake is not None:
            price = fields["price"].check("price", told["price"])
            if stake <= 0:
                raise RejectedRecordError("amount", amount, "more than 0")
            if not 0 < price <= 1:
                raise RejectedRecordError("price", price, "the price of a token, more than 0 and at most 1")
            quantity = quantize(CONTEXT.divide(stake, price))
        receipt = self._books.record_trade(quantity=quantity, amount=amount, **told)
        self.recorder.record(note_fact("last_trade_execution", told["timestamp"]))
        return receipt


def _prices(markets: list[str], at: dt.datetime, alias: str) -> dict[str, tuple[dt.datetime, Decimal]]:
    return latest_yes_prices(markets, at, using=alias)


def _decided(markets: list[str], alias: str) -> list[PredictionMarket]:
    rows = PredictionMarket.objects.using(alias).resolved().filter(market_id__in=markets)
    return list(rows.order_by("market_id"))
