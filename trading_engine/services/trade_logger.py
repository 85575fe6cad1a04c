"""Record orders and fills: the facts that the books are made of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final, Unpack
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from friren.core.ids import natural_id, new_id
from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.facts import Fact, make_fact, spec_of
from friren.persistence.pages import Condition, newest_page
from friren.persistence.reads import newest_first
from friren.persistence.receipts import BulkReceipt, Receipt, Rows
from trading_engine.latest_trades import latest_trades
from trading_engine.models import Trade, TradeStatusEvent
from trading_engine.models.choices import TradeStatus
from trading_engine.pairs.keys import pair_key, rows_of_pair
from trading_engine.services.orders import EVENT_PARAMETERS, OrderMethods
from trading_engine.symbols import rows_of_key, symbol_key
from trading_engine.trade_facts import (
    EXTERNAL_ID_LENGTH_MAX,
    TRADE_KEYWORDS,
    TRADE_PARAMETERS,
    TradeDetails,
    check_external_key,
)

__all__ = ["TradeLogger"]

# How a position opened by the one action is closed.
CLOSING_ACTION: Final = {"buy": "sell", "short": "cover", "buy_yes": "sell_yes", "buy_no": "sell_no"}
# Of a round trip, what is told of its entry alone.
ENTRY_DETAILS: Final = ("order", "expected_price", "amount")
DETAILS: Final = frozenset(TradeDetails.__annotations__)
REQUIRED: Final = ("action", "quantity", "price", "timestamp")


class TradeLogger(OrderMethods):
    """
    Records the orders and fills of one account.

    `log_trade` stores; the books take the fill in when they are next touched (see PortfolioTracker).
    """

    def log_trade(
        self,
        *,
        action: str,
        quantity: Decimal | int,
        price: Decimal | int,
        timestamp: dt.datetime,
        trade_id: UUID | str | None = None,
        **details: Unpack[TradeDetails],
    ) -> Receipt:
        """
        Store a fill.

        Args:
            action: buy, sell, short or cover; buy_yes, buy_no, sell_yes or sell_no of a market.
            quantity: units, more than 0; at most 20 integer digits and 18 decimals.
            price: per unit, any sign; 0 to 1 for a market.
            timestamp: when it was executed, aware.
            trade_id: a UUID becomes the id, other text the venue's id (`external_id`).
            details: `symbol` or `market`, and what TradeDetails lists.

        Returns:
            STORED, or DUPLICATE when the same fill is there already.

        Raises:
            RejectedRecordError: a value breaks a rule; nothing was stored.
            KeyReusedError: the id, or the venue and external id, is another fill's.
            PeriodClosedError: the account's books are closed for that time.
        """
        told: dict[str, Any] = {
            **details, "action": action, "quantity": quantity, "price": price, "timestamp": timestamp,
            "trade_id": trade_id,
        }  # fmt: skip
        fact = self._fill(told)
        try:
            return self.recorder.record(fact)
        except RejectedRecordError as exc:
            raise exc.named(TRADE_PARAMETERS) from exc

    def log_round_trip(
        self,
        *,
        action: str,
        quantity: Decimal | int,
        entry_price: Decimal | int,
        entry_timestamp: dt.datetime,
        exit_price: Decimal | int,
        exit_timestamp: dt.datetime,
        entry_commission: Decimal | int | None = None,
        exit_commission: Decimal | int | None = None,
        **details: Unpack[TradeDetails],
    ) -> tuple[Receipt, Receipt]:
        """
        Store an entry and its exit as two fills that share a `round_trip`, both or neither.

        Args:
            action: of the entry: buy, short, buy_yes or buy_no.
            entry_…, exit_…: as `price`, `timestamp`, `commission` of `log_trade`.
            details: as for `log_trade`. What was ordered, expected and staked (`order`, `expected_price`,
                `amount`) goes to the entry, `exit_reason` and `source_pnl` to the exit, the rest to both. Of an
                `external_id` the fills get it with `:entry` and `:exit` behind.

        Returns:
            The receipts of entry and exit. Errors as for `log_trade`.
        """
        checks.refuse_unknown(details, known=DETAILS, of="log_round_trip")
        opening = spec_of(Trade).fields["action"].check("action", action)
        if opening not in CLOSING_ACTION:
            raise RejectedRecordError("action", action, f"an entry is one of {', '.join(CLOSING_ACTION)}")
        if details.get("commission") is not None:
            raise RejectedRecordError("commission", details["commission"], "give entry_commission and exit_commission")
        external_id = details.pop("external_id", None)
        check_external_key(details.get("venue"), external_id, length=EXTERNAL_ID_LENGTH_MAX - len(":entry"))
        if details.get("round_trip") is None:
            key = (self.account.id, details.get("venue") or "", external_id)
            details["round_trip"] = natural_id("round_trip", *key) if external_id else new_id()
        at_entry = {name: details.pop(name, None) for name in ENTRY_DETAILS}  # type: ignore[misc]  # names of TradeDetails
        at_exit = {"exit_reason": details.pop("exit_reason", None), "source_pnl": details.pop("source_pnl", None)}
        entered = {"price": entry_price, "timestamp": entry_timestamp, "commission": entry_commission}
        left = {"price": exit_price, "timestamp": exit_timestamp, "commission": exit_commission}
        common = {**details, "quantity": quantity}
        facts = [
            self._leg("entry", external_id, entered, {**common, "action": opening, **at_entry}),
            self._leg("exit", external_id, left, {**common, "action": CLOSING_ACTION[opening], **at_exit}),
        ]
        if facts[1].values["executed_at"] < facts[0].values["executed_at"]:
            raise RejectedRecordError("exit_timestamp", exit_timestamp, "must not be before entry_timestamp")
        try:
            entry, exit_ = self.recorder.record_all(facts)
        except RejectedRecordError as exc:
            raise exc.named({"executed_at": "entry_timestamp"}) from exc
        return entry, exit_

    def bulk_log(self, trades: Iterable[Mapping[str, Any]]) -> BulkReceipt:
        """
        Store many fills, each given as the keywords of `log_trade`.

        Returns:
            How many were stored and were there already, and (index, error) of those refused.
        """
        return self.recorder.record_many(trades, partial(self._trade_fact, "trade"), parameters=TRADE_PARAMETERS)

    def update_trade_status(
        self, trade: Any, status: str, *, timestamp: dt.datetime | None = None, reason: str | None = None
    ) -> Receipt:
        """
        Move a trade to settled or busted. The status it already has is a DUPLICATE.

        Args:
            trade: id, receipt or row.
            timestamp: when it happened, aware; now unless given.

        Raises:
            InvalidTransitionError: the trade's status cannot be followed by this one.
            PeriodClosedError: a bust of a trade in a closed period.
            RejectedRecordError: a value breaks a rule, or the trade is not stored in this account.
        """
        return self.recorder.record(self._status_fact(trade, status, timestamp, reason))

    def bust_trade(self, trade: Any, *, reason: str, timestamp: dt.datetime | None = None) -> Receipt:
        """Declare that a trade never happened. It stays stored, and leaves the books. Errors as above."""
        checks.check_text("reason", reason, blank=False)
        return self.update_trade_status(trade, TradeStatus.BUSTED, timestamp=timestamp, reason=reason)

    def correct_trade(self, trade: Any, *, reason: str, corrected: Mapping[str, Any]) -> tuple[Receipt, Receipt]:
        """
        Bust a trade and store what really happened in its place, both or neither.

        Args:
            trade: id, receipt or row of the wrong one.
            corrected: the keywords of `log_trade` for the right one. Without a trade_id or external_id its id is
                derived from the wrong one and from what it says, so that a correction told twice is one.

        Returns:
            The receipts of the bust and of the new trade. Errors as for `bust_trade` and `log_trade`.
        """
        checks.check_text("reason", reason, blank=False)
        bust = self._status_fact(trade, TradeStatus.BUSTED, None, reason)
        try:
            right = self._trade_fact("corrected", corrected, corrects=bust.values["trade"])
        except RejectedRecordError as exc:
            raise exc.named({"corrects": "trade"}) from exc
        if corrected.get("trade_id") is None and corrected.get("external_id") is None:
            key = natural_id("correction", bust.values["trade"], right.digest.hex())
            right = Fact(kind=right.kind, id=key, values=right.values, known_digest=right.digest)
        try:
            busted, stored = self.recorder.record_all([bust, right])
        except RejectedRecordError as exc:
            raise exc.named({**TRADE_PARAMETERS, "corrects": "trade"}) from exc
        return busted, stored

    def get_trade_history(
        self,
        symbol: Any = None,
        *,
        pair: Any = None,
        strategy: str | None = None,
        status: str | None = None,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        limit: int = 100,
        after: Any = None,
        include_archive: bool = False,
    ) -> Rows[Any]:
        """
        Return fills of this account, newest first.

        Args:
            symbol: ticker or (ticker, venue); all when None.
            pair: whose legs: two symbols, or a row; all when None.
            strategy: exact `strategy_used`.
            status: filled, settled or busted.
            start, end: bounds of the execution time, aware; start included, end not.
            limit: rows at most, 1 to 100000.
            after: `next` of the page before.
            include_archive: also what was archived.

        Raises:
            RejectedRecordError: an argument breaks a rule.
        """
        fields = spec_of(Trade).fields
        asked: list[tuple[Condition, tuple[Any, ...]]] = [(_of_account, (self.account.id,))]
        if symbol is not None:
            asked.append((rows_of_key, tuple(symbol_key("symbol", symbol))))
        if pair is not None:
            asked.append((rows_of_pair, tuple(pair_key("pair", pair))))
        if strategy is not None:
            asked.append((_of_strategy, (fields["strategy_used"].check("strategy", strategy),)))
        if status is not None:
            asked.append((_of_status, (fields["status"].check("status", status),)))
        bounds: Any = {"start": start, "end": end, "limit": limit, "after": after}
        if not checks.check_boolean("include_archive", include_archive):
            return newest_page(Trade, *asked, using=self.using, time="executed_at", **bounds)
        rows = Trade.objects.using(self.using).all()
        for condition, values in asked:
            rows = condition(rows, *values)
        return newest_first(rows, time="executed_at", include_archive=True, **bounds)

    def latest_trades(self, symbols: Collection[Any] | None = None) -> Rows[Any]:
        """
        Return the newest fill of each symbol in this account, the newest first; busted ones never happened.

        Args:
            symbols: tickers or (ticker, venue), up to 100000; every symbol when None. One that this account never
                traded has no row.

        Raises:
            RejectedRecordError: an argument breaks a rule.
        """
        return latest_trades(self.account.id, symbols, using=self.using)

    def _leg(self, name: str, external_id: str | None, own: dict[str, Any], common: dict[str, Any]) -> Fact:
        """Return one fill of a round trip; a refusal names the parameter as the caller knows it."""
        key = f"{external_id}:{name}" if external_id else None
        try:
            return self._fill({**common, **own, "external_id": key})
        except RejectedRecordError as exc:
            raise exc.named({parameter: f"{name}_{parameter}" for parameter in own}) from exc

    def _trade_fact(self, field: str, trade: Mapping[str, Any], **more: Any) -> Fact:
        told = checks.check_record(field, trade, known=TRADE_KEYWORDS, of="log_trade")
        # What lacks is given as None, so that its absence is a refusal and no TypeError.
        return self._fill({**dict.fromkeys(REQUIRED), **told, **more})

    def _status_fact(self, trade: Any, status: str, timestamp: dt.datetime | None, reason: str | None) -> Fact:
        at = timezone.now() if timestamp is None else timestamp
        try:
            return make_fact(
                TradeStatusEvent, account=self.account.id, trade=trade, to_status=status, occurred_at=at, reason=reason
            )
        except RejectedRecordError as exc:
            raise exc.named(EVENT_PARAMETERS) from exc


def _of_account(rows: QuerySet[Trade], account: UUID) -> QuerySet[Trade]:
    return rows.filter(account=account)


def _of_strategy(rows: QuerySet[Trade], strategy: str) -> QuerySet[Trade]:
    return rows.filter(strategy_used=strategy)


def _of_status(rows: QuerySet[Trade], status: str) -> QuerySet[Trade]:
    return rows.filter(status=status)
