"""Keep an account's books: fills, cash and events in, positions and profit out."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Hashable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Literal, TypeVar, Unpack, overload
from uuid import UUID

from friren.core.numbers import ZERO
from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.answers import Answer, ask
from friren.persistence.archived_reads import with_archive
from friren.persistence.facts import spec_of
from friren.persistence.reads import first_row
from friren.persistence.receipts import Receipt, Rows, WriteOutcome
from portfolio_manager.booking import book, booking, catch_up
from portfolio_manager.booking.later import book_later
from portfolio_manager.booking.marking import Marked, mark_books
from portfolio_manager.booking.periods import close_books
from portfolio_manager.booking.pnl import Pnl, PnlByKey, check_key, read_pnl, unknown_pnl
from portfolio_manager.booking.reads import PositionRow, is_pending, read_positions
from portfolio_manager.booking.rebuild import Rebuilt, rebuild_account
from portfolio_manager.data_logger.book_events import BookEvents
from portfolio_manager.explaining import Explanation, explain_trade
from portfolio_manager.models import PeriodCheckpoint, PortfolioState
from trading_engine.models import Trade
from trading_engine.trade_facts import TradeDetails

__all__ = ["PortfolioTracker"]

Result = TypeVar("Result")
PnlKey = Literal["symbol", "strategy", "regime", "model", "sentiment", "idea"]


class PortfolioTracker(BookEvents):
    """
    The books of one account.

    They depend on the facts alone: what TradeLogger stored is booked by whichever call comes next,
    and the order in which facts arrive does not matter.

    Args:
        account: a handle of `friren.open_account`, or the name of books that were opened; None for `default`.
    """

    def record_trade(
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
        Store a fill and book it, in one commit. Parameters and errors are those of `TradeLogger.log_trade`.

        Returns:
            STORED, or DUPLICATE when the same fill is there already; it is booked either way.
        """
        told = {"action": action, "quantity": quantity, "price": price, "timestamp": timestamp, "trade_id": trade_id}
        fact = self._fill({**details, **told})
        return self._store_and_book(fact)

    def update_position(self, trade: Any) -> Receipt:
        """
        Book a stored trade, and whatever else is not booked yet. Booking it twice changes nothing.

        Args:
            trade: id, receipt or row.

        Returns:
            STORED when this call booked it, DUPLICATE when the books had it already, or leave it out as busted.
            DEFERRED when the database is away, or the trade still on its way there: whoever touches the books
            next books it. So too when more has gathered than can be booked in a few seconds: then it is booked
            in the background.

        Raises:
            RejectedRecordError: it is not stored in this account.
        """
        self.recorder.refuse_closed()
        key = checks.check_uuid("trade", getattr(trade, "id", trade))
        self.recorder.settle()
        # Asked before the attempt: what is on its way then may be stored by the time that it is looked for.
        on_its_way = self.recorder.backlog > 0
        outcome = self._derive(partial(self._book_one, key, on_its_way)) or WriteOutcome.DEFERRED
        return Receipt(key, outcome, synced=outcome is not WriteOutcome.DEFERRED)

    def _book_one(self, key: UUID, on_its_way: bool, alias: str) -> WriteOutcome:
        with booking(alias) as seen_seq:
            if not with_archive(Trade.objects.using(alias)).filter(id=key, account=self.account.id).exists():
                if on_its_way:
                    return WriteOutcome.DEFERRED
                raise RejectedRecordError("trade", key, "is not stored in this account")
            _, pending = book(self.account.id, seen_seq=seen_seq, using=alias, wanted=key)
        booked = any(one.id == key and one.kind == "trade" for one in pending)
        return WriteOutcome.STORED if booked else WriteOutcome.DUPLICATE

    def mark_to_market(self, prices: Mapping[Any, Decimal | int], at: dt.datetime) -> Marked:
        """
        Mark open positions: current price and value, unrealised profit, margin, liquidation price.

        Args:
            prices: by ticker or (ticker, venue); by id of a market the price of its YES token.
            at: when they were seen, aware; a position with a newer mark keeps it.

        Returns:
            How many positions were marked, and which held instruments had no price; while the database is away
            `positions` is None: marks are no facts, they are not kept for later, and the next ones take their place.

        Raises:
            RejectedRecordError: a price breaks a rule; nothing was marked.
        """
        self.recorder.refuse_closed()
        seen_at = checks.check_time("at", at)
        if not isinstance(prices, Mapping):
            raise RejectedRecordError("prices", prices, "a mapping of instruments to prices is wanted")
        rule = spec_of(Trade).fields["price"]
        checked = {key: rule.check(f"prices[{key!r}]", price) for key, price in prices.items()}
        marked = self._derive(lambda alias: mark_books(self.account.id, checked, seen_at, using=alias))
        return marked or Marked(None, ())

    def get_current_positions(self) -> Rows[PositionRow]:
        """
        Return what is held, the newest position first; facts that are not booked yet are booked before.

        While the database is away it is what was held when last asked, with its age; `as_of=None` is unknown.
        """
        found = self._ask(("positions", self.account.id), self._positions)
        return Rows(found.rows, as_of=found.as_of, stale=found.stale)

    def get_portfolio_state(self) -> Any:
        """
        Return where the book stands: balance, balances, total_invested, total_profit_loss, trade_count.

        Money is in the base currency, profit without commission; facts that are not booked yet are booked before.
        `as_of` and `stale` as of `Rows`: while the database is away it is what was answered last, and with `as_of=None`
        every figure is None. None before the first fact.
        """
        self._derive(self._catch_up)
        rows = PortfolioState.objects.using(self.using).filter(account=self.account.id)
        return first_row(rows, unknown={"account": self.account.id})

    def _catch_up(self, alias: str) -> int:
        return catch_up(self.account.id, using=alias) if is_pending(self.account.id, using=alias) else 0

    def _positions(self, alias: str) -> list[PositionRow]:
        pending, positions = read_positions(self.account.id, using=alias)
        if pending:
            catch_up(self.account.id, using=alias)
            _, positions = read_positions(self.account.id, using=alias)
        return positions

    @overload
    def calculate_pnl(
        self, *, start: dt.datetime | None = ..., end: dt.datetime | None = ..., by: None = ...
    ) -> Pnl: ...
    @overload
    def calculate_pnl(
        self, *, start: dt.datetime | None = ..., end: dt.datetime | None = ..., by: PnlKey
    ) -> PnlByKey: ...
    def calculate_pnl(
        self, *, start: dt.datetime | None = None, end: dt.datetime | None = None, by: PnlKey | None = None
    ) -> Pnl | PnlByKey:
        """
        Return profit and loss, exact; facts that are not booked yet are booked before.

        Args:
            start, end: bounds of the time of the fills, aware; start included, end not. A period with an
                end has no unrealised profit: that is only known now, at the last marks.
            by: None, or a key of the opening trade: "symbol", "strategy", "regime", "model", "sentiment" ("negative",
                "neutral" or "positive", see `pnl.NEUTRAL_WITHIN`) or "idea" (its id); "" of a trade that has none.

        Returns:
            A Pnl in the base currency, or with `by` a dict of them. Nothing is converted: profit in other
            currencies is in `other_currencies`; a key that has none in the base currency has its first there.
            While the database is away it is what was answered last, with its age; `as_of=None` is unknown, and
            then every figure is None.

        Raises:
            RejectedRecordError: an argument breaks a rule.
        """
        since = None if start is None else checks.check_time("start", start)
        until = None if end is None else checks.check_time("end", end)
        check_key(by)

        def question(alias: str) -> list[tuple[str, Pnl]]:
            if is_pending(self.account.id, using=alias):
                catch_up(self.account.id, using=alias)
            return read_pnl(self.account.id, start=since, end=until, by=by, using=alias)

        answer = self._ask(("pnl", self.account.id, since, until, by), question)
        found: dict[str, list[Pnl]] = {}
        for key, pnl in answer.rows:
            found.setdefault(key, []).append(dataclasses.replace(pnl, as_of=answer.as_of, stale=answer.stale))
        if by is not None:
            joined = {key: self._joined(parts) for key, parts in found.items()}
            return PnlByKey(joined, as_of=answer.as_of, stale=answer.stale)
        base = self.account.base_currency
        if answer.as_of is None:
            return unknown_pnl(base)
        nothing = Pnl(
            currency=base, realized=ZERO, unrealized=ZERO, commission=ZERO, as_of=answer.as_of, stale=answer.stale
        )
        return self._joined([*found.get("", ()), nothing])

    def explain(self, trade: Any) -> Explanation | None:
        """
        Return why a trade of this account was made and what came of it: signal, idea, gate, order, fills, positions.

        Args:
            trade: id, receipt or row.

        Returns:
            What is stored, with what is missing and why; None when there is no such trade in this account.
        """
        return explain_trade(checks.check_uuid("trade", getattr(trade, "id", trade)), account=self.account.id,
                             using=self.using)  # fmt: skip

    def close_period(self, at: dt.datetime, *, closed_by: int | None = None) -> PeriodCheckpoint:
        """
        Close the books up to a moment: they are kept as they stood, and facts dated before it are refused.

        An administrative step, for people: no record depends on it, and it waits for the database.

        Args:
            at: aware, in the past; facts of this very moment belong to the next period.
            closed_by: id of the user who closes.

        Raises:
            RejectedRecordError: `at` lies in the future.
            PeriodClosedError: the books are closed up to `at` or later already.
            DatabaseUnavailableError: the database cannot do it now.
        """
        self.recorder.refuse_closed()
        moment = checks.check_time("at", at)
        self.recorder.settle()
        with self.recorder.step("closing a period") as alias:
            checkpoint = close_books(self.account.id, at=moment, closed_by=closed_by, using=alias)
        checkpoint._state.db = self.using  # what it refers to is read where its reader reads
        return checkpoint

    def rebuild(self, *, check: bool = False) -> Rebuilt:
        """
        Fold the books anew from the facts and replace what differs. An administrative step, as `close_period` is.

        Args:
            check: report what differs and leave it.

        Raises:
            FrirenError: facts kept arriving while the books were compared.
            DatabaseUnavailableError: the database cannot do it now.
        """
        self.recorder.refuse_closed()
        checks.check_boolean("check", check)
        with self.recorder.step("rebuilding the books") as alias:
            return rebuild_account(self.account.id, check=check, using=alias)

    def _derive(self, work: Callable[[str], Result]) -> Result | None:
        """Return what `Recorder.derive` does; what takes too long for a call is booked in the background."""
        found = self.recorder.derive(work)
        if found is None and self.recorder.reachable:
            book_later(self.account.id, using=self.using)
        return found

    def _ask(self, key: Hashable, question: Callable[[str], list[Any]]) -> Answer:
        """Return what `ask` does, likewise."""
        answer = ask(key, question, using=self.using)
        if answer.stale and self.recorder.reachable:
            book_later(self.account.id, using=self.using)
        return answer

    def _joined(self, parts: list[Pnl]) -> Pnl:
        """Return the part in the base currency, or else the first, with the others in it."""
        base = self.account.base_currency
        first = next((part for part in parts if part.currency == base), parts[0])
        others = tuple(part for part in parts if part.currency != first.currency)
        return dataclasses.replace(first, other_currencies=others)
