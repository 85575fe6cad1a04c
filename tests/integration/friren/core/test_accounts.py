"""Books are opened on purpose, once, and found again by name or id."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connections

import friren
from friren.accounts import BOOKS_BEGIN, find_account
from friren.core.models import Account, User
from friren.errors import ConfigurationError, RejectedRecordError
from portfolio_manager.models import CashMovement
from trading_engine.services import RegimeLogger, SignalLogger, TradeLogger


def at_once(number: int, call) -> list[object]:
    start = threading.Barrier(number)

    def run(index: int) -> object:
        try:
            start.wait(timeout=60)
            return call(index)
        except ConfigurationError as exc:
            return exc
        finally:
            connections.close_all()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


class TestOpen:
    def test_stores_the_settings(self) -> None:
        handle = friren.open_account(
            "momentum", environment="live", base_currency="EUR", cost_basis="fifo", position_mode="hedging",
            timezone="Europe/Berlin",
        )  # fmt: skip

        row = Account.objects.get()
        assert (row.id, row.name, row.owner.username) == (handle.id, "momentum", "system")
        assert (row.environment, row.base_currency, row.cost_basis, row.position_mode, row.timezone) == (
            "LIVE", "EUR", "FIFO", "HEDGING", "Europe/Berlin",
        )  # fmt: skip
        assert (handle.environment, handle.owner, handle.timezone) == ("LIVE", "system", "Europe/Berlin")

    def test_again_returns_the_same_books(self) -> None:
        first = friren.open_account("momentum", environment="PAPER", starting_cash=Decimal(1000))
        again = friren.open_account("momentum", environment="paper", starting_cash=Decimal("1000.00"))

        assert first == again
        assert Account.objects.count() == CashMovement.objects.count() == 1

    def test_puts_the_starting_cash_before_every_other_fact(self) -> None:
        handle = friren.open_account("momentum", starting_cash=Decimal("1000.5"), base_currency="EUR")

        deposit = CashMovement.objects.get()
        assert (deposit.account_id, deposit.kind, deposit.currency, deposit.amount, deposit.occurred_at) == (
            handle.id, "DEPOSIT", "EUR", Decimal("1000.5"), BOOKS_BEGIN,
        )  # fmt: skip

    @pytest.mark.parametrize("cash", [None, 0, Decimal("0.00")])
    def test_without_cash_makes_no_deposit(self, cash) -> None:
        friren.open_account("momentum", starting_cash=cash)

        assert not CashMovement.objects.exists()

    def test_later_may_bring_the_cash(self) -> None:
        friren.open_account("momentum")
        friren.open_account("momentum", starting_cash=1000)
        friren.open_account("momentum")

        assert CashMovement.objects.get().amount == 1000

    @pytest.mark.parametrize(
        "other",
        [
            {"environment": "LIVE"},
            {"base_currency": "EUR"},
            {"cost_basis": "LIFO"},
            {"position_mode": "HEDGING"},
            {"starting_cash": 2000},
        ],
        ids=str,
    )
    def test_with_other_settings_is_refused_by_name(self, other) -> None:
        friren.open_account("momentum", starting_cash=1000)

        with pytest.raises(ConfigurationError, match=next(iter(other))):
            friren.open_account("momentum", **{"starting_cash": 1000, **other})

        assert CashMovement.objects.get().amount == 1000

    def test_books_of_two_owners_may_share_a_name(self) -> None:
        User.objects.create(username="ada")

        handles = [friren.open_account("momentum", owner=owner) for owner in ("ada", "system")]

        assert handles[0].id != handles[1].id
        with pytest.raises(ConfigurationError, match="several owners"):
            find_account("momentum")
        assert [find_account(handle.id) for handle in handles] == handles

    def test_wants_an_owner_who_exists(self) -> None:
        with pytest.raises(ConfigurationError, match="nobody"):
            friren.open_account("momentum", owner="nobody")

        assert not Account.objects.exists()

    @pytest.mark.parametrize("turn", range(3))
    def test_by_many_at_once_opens_one(self, turn) -> None:
        handles = at_once(8, lambda _: friren.open_account("momentum", starting_cash=1000))

        assert len(set(handles)) == 1
        assert Account.objects.count() == CashMovement.objects.count() == 1

    def test_by_many_with_other_settings_lets_one_win(self) -> None:
        kinds = ["USD", "EUR"]

        handles = at_once(8, lambda number: friren.open_account("momentum", base_currency=kinds[number % 2]))

        won = Account.objects.get().base_currency
        opened = [one for one in handles if not isinstance(one, ConfigurationError)]
        assert {one.base_currency for one in opened} == {won}
        assert len(opened) == 4

    def test_a_refusal_stores_no_account(self) -> None:
        for given in (
            {"starting_cash": -1},
            {"starting_cash": 1.5},
            {"timezone": "Mars/Olympus"},
            {"base_currency": ""},
        ):
            with pytest.raises(RejectedRecordError) as caught:
                friren.open_account("momentum", **given)
            assert caught.value.field == next(iter(given))

        assert not Account.objects.exists()


class TestFind:
    def test_by_handle_row_id_or_name(self) -> None:
        handle = friren.open_account("momentum")

        found = [find_account(one) for one in (handle, Account.objects.get(), handle.id, "momentum")]

        assert found == [handle] * 4

    @pytest.mark.parametrize("unknown", ["momentun", uuid4()], ids=["name", "id"])
    @pytest.mark.parametrize("logger", [TradeLogger, SignalLogger, RegimeLogger])
    def test_an_unknown_one_is_not_opened_by_a_typo(self, logger, unknown) -> None:
        friren.open_account("momentum")

        with pytest.raises(ConfigurationError, match="open it with"):
            logger(unknown)

        assert Account.objects.count() == 1

    def test_none_is_the_default_account(self) -> None:
        loggers = [TradeLogger(), SignalLogger()]

        account = Account.objects.get()
        assert {one.account.id for one in loggers} == {account.id}
        assert (account.name, account.environment, account.base_currency) == ("default", "PAPER", "USD")
        assert CashMovement.objects.get().amount == 100_000
