"""What happens to an account's books beside trades: cash, corporate actions, resolutions."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from friren.core.ids import natural_id
from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.facts import Fact, spec_of
from friren.persistence.handlers import apply_within
from friren.persistence.receipts import Receipt
from portfolio_manager.booking import book, booking
from portfolio_manager.booking.quick import store_and_book
from portfolio_manager.models import CashMovement, CorporateAction, MarketResolution
from trading_engine.services.base import AccountService
from trading_engine.symbols import symbol_key
from trading_engine.trade_facts import TRADE_PARAMETERS, fact_key

__all__ = ["BookEvents"]

# What callers call the columns of each kind of fact; an id made of a natural key is that key's.
PARAMETERS: Final = {
    "trade": TRADE_PARAMETERS,
    "cash_movement": {"id": "movement_id", "occurred_at": "at"},
    "corporate_action": {"id": "effective_at"},
    "market_resolution": {"id": "market"},
}
# INVALID pays what the venue says.
YES_PAYOUTS: Final = {"YES": Decimal(1), "NO": Decimal(0)}


class BookEvents(AccountService):
    """What `PortfolioTracker` records beside trades."""

    def record_cash(
        self,
        kind: str,
        amount: Decimal | int,
        at: dt.datetime,
        *,
        currency: str | None = None,
        symbol: Any = None,
        counter_account: Any = None,
        venue: str | None = None,
        external_id: str | None = None,
        movement_id: UUID | str | None = None,
        corrects: Any = None,
        reason: str | None = None,
        extra: dict[str, Any] | None = None,
        received_at: dt.datetime | None = None,
    ) -> Receipt:
        """
        Store a change of cash that is no fill and book it, in one commit.

        Args:
            kind: DEPOSIT, WITHDRAWAL, FUNDING, INTEREST, DIVIDEND, FEE, TRANSFER, SETTLEMENT or ADJUSTMENT.
            amount: signed: what comes in is positive; a withdrawal is negative.
            at: when it happened, aware.
            currency: the account's base currency unless given.
            symbol: that it concerns, if any.
            counter_account: the other side of a TRANSFER, whose own movement its own tracker records.
            movement_id: a UUID becomes the id, other text the `external_id`.
            corrects: the movement that this one makes good.

        Raises:
            RejectedRecordError: a value breaks a rule; nothing was stored.
            KeyReusedError: the id, or the venue and external id, is another movement's.
            PeriodClosedError: the books are closed for that time.
        """
        key, external_id = fact_key(
            "cash_movement", self.account, movement_id, field="movement_id", venue=venue, external_id=external_id
        )
        return self._store_and_book(
            self._fact(
                CashMovement,
                id=key,
                kind=kind,
                amount=amount,
                occurred_at=checks.check_time("at", at),
                currency=self.account.base_currency if currency is None else currency,
                symbol=symbol,
                counter_account=counter_account,
                venue=venue,
                external_id=external_id,
                corrects=corrects,
                reason=reason,
                extra=extra,
                received_at=received_at,
            )
        )

    def apply_corporate_action(
        self,
        symbol: Any,
        kind: str,
        effective_at: dt.datetime,
        *,
        ratio: Decimal | int | None = None,
        amount: Decimal | int | None = None,
        currency: str | None = None,
        source: str | None = None,
        received_at: dt.datetime | None = None,
    ) -> Receipt:
        """
        Store a split or dividend and book it for every position of the symbol, in one commit.

        Args:
            symbol: ticker, (ticker, venue) or row.
            kind: SPLIT or DIVIDEND.
            effective_at: what is held at this moment is concerned, aware.
            ratio: of a split: new units for one, 7 for 7:1 and 0.1 for 1:10.
            amount: of a dividend: money per unit.
            currency: of a dividend; the symbol's unless given.
            source: where it was learnt.

        Raises:
            RejectedRecordError: a value breaks a rule; nothing was stored.
            KeyReusedError: one of this kind, symbol and moment is stored with other figures.
            PeriodClosedError: the books are closed for that time.
        """
        named = spec_of(CorporateAction).fields["kind"].check("kind", kind)
        at = checks.check_time("effective_at", effective_at)
        return self._store_and_book(
            self._fact(
                CorporateAction,
                id=natural_id("corporate_action", self.account.id, *symbol_key("symbol", symbol), named, at),
                symbol=symbol,
                kind=named,
                effective_at=at,
                ratio=ratio,
                amount=amount,
                currency=currency,
                source=source,
                received_at=received_at,
            )
        )

    def resolve_market(
        self,
        market: Any,
        outcome: str,
        resolved_at: dt.datetime,
        *,
        yes_payout: Decimal | int | None = None,
        source: str | None = None,
        received_at: dt.datetime | None = None,
    ) -> Receipt:
        """
        Store the end of a prediction market and pay out every position in it, in one commit.

        Args:
            market: its id, or row.
            outcome: YES, NO or INVALID.
            resolved_at: aware.
            yes_payout: of one YES token, 0 to 1; 1 for YES and 0 for NO; required for INVALID.
            source: where it was learnt.

        Raises:
            RejectedRecordError: a value breaks a rule; nothing was stored.
            KeyReusedError: the market is resolved already, in another way.
            PeriodClosedError: the books are closed for that time.
        """
        fields = spec_of(MarketResolution).fields
        decided = fields["outcome"].check("outcome", outcome)
        named = fields["market"].check("market", market)
        return self._store_and_book(
            self._fact(
                MarketResolution,
                id=natural_id("market_resolution", self.account.id, named),
                market=named,
                outcome=decided,
                yes_payout=YES_PAYOUTS.get(decided) if yes_payout is None else yes_payout,
                resolved_at=checks.check_time("resolved_at", resolved_at),
                source=source,
                received_at=received_at,
            )
        )

    def _store_and_book(self, fact: Fact) -> Receipt:
        """Store a fact and bring the books up to date with it, in one commit."""

        def write(alias: str) -> Receipt:
            stored = store_and_book(fact, using=alias) if fact.kind == "trade" else None
            if stored is not None:
                return stored
            with booking(alias) as seen_seq:
                receipt = apply_within(fact, using=alias)
                book(self.account.id, seen_seq=seen_seq, using=alias, wanted=receipt.id)
            return receipt

        try:
            return self.recorder.record_by(fact, write, patient=True)
        except RejectedRecordError as exc:
            raise exc.named(PARAMETERS[fact.kind]) from exc
