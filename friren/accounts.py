"""Opening books, and finding them again."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import zoneinfo
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import connections

from friren.core.choices import CostBasis, Environment, PositionMode
from friren.core.ids import natural_id
from friren.core.models import Account, User
from friren.core.models.accounts import SYSTEM_USERNAME
from friren.core.numbers import LIMIT, plain
from friren.errors import ConfigurationError, KeyReusedError, RejectedRecordError, shown
from friren.known_accounts import KnownAccounts
from friren.persistence import checks, handlers
from friren.persistence.codec import register_record
from friren.persistence.engines import engine_for
from friren.persistence.facts import Fact, make_fact, spec_named
from friren.persistence.handlers import register_handler
from friren.persistence.receipts import Receipt, WriteOutcome

__all__ = ["BOOKS_BEGIN", "DEFAULT_ACCOUNT", "AccountHandle", "find_account", "open_account", "register"]

DEFAULT_ACCOUNT: Final = "default"
DEFAULT_CASH: Final = Decimal(100_000)
NAME_LENGTH_MAX: Final = 100
# Opening books is no part of trading: a database that is slow to connect is waited for, one that is away is not.
OPENING_SECONDS: Final = 5.0
CASH_RULE: Final = f"0 or more and less than {plain(LIMIT)}"
# The opening deposit stands before every other fact, and at the same moment however often it is made.
BOOKS_BEGIN: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

Answer = TypeVar("Answer")


@dataclasses.dataclass(frozen=True, slots=True)
class AccountHandle:
    """One set of books, as its loggers know it."""

    id: UUID
    name: str
    owner: str
    environment: str
    base_currency: str
    cost_basis: str
    position_mode: str
    timezone: str


def open_account(
    name: str,
    *,
    environment: str = Environment.PAPER,
    starting_cash: Decimal | int | None = None,
    base_currency: str = "USD",
    cost_basis: str = CostBasis.AVERAGE,
    position_mode: str = PositionMode.NETTING,
    timezone: str = "UTC",
    owner: str = SYSTEM_USERNAME,
) -> AccountHandle:
    """
    Open the books `name` of `owner`, or return them as they were opened. Works while the database is down.

    Args:
        name: up to 100 characters, unique per owner.
        environment: LIVE, PAPER or BACKTEST.
        starting_cash: stored as a deposit in the base currency, once; None or 0 for none.
        base_currency: a currency code, up to 10 characters.
        cost_basis: AVERAGE, FIFO or LIFO.
        position_mode: NETTING or HEDGING.
        timezone: IANA name; for what people see only.
        owner: username of an existing user.

    Raises:
        RejectedRecordError: a value breaks a rule.
        ConfigurationError: these books were opened with other settings, or the owner does not exist.
    """
    wanted = {
        "environment": _choice("environment", environment, Environment),
        "base_currency": checks.check_text("base_currency", base_currency, length=10, blank=False),
        "cost_basis": _choice("cost_basis", cost_basis, CostBasis),
        "position_mode": _choice("position_mode", position_mode, PositionMode),
    }
    checks.check_text("name", name, length=NAME_LENGTH_MAX, blank=False)
    zone = _time_zone(timezone)
    account_id = Account.id_of(owner=checks.check_text("owner", owner, length=150, blank=False), name=name)
    opening = _opening_deposit(account_id, base_currency, starting_cash)
    new = AccountHandle(id=account_id, name=name, owner=owner, timezone=zone, **wanted)
    account = _ask(partial(_get_or_create, new)) or _open_offline(new)
    for field, value in wanted.items():
        if (stored := getattr(account, field)) != value:
            raise ConfigurationError(f"the account {shown(name)} was opened with {field}={stored}, not {value}")
    _known().save(account.id, _as_text(account))
    if opening is not None:
        try:
            deposit = opening
            if _ask(lambda alias: handlers.apply(deposit, using=alias)) is None:
                engine_for().accept(deposit, sync=True)
        except KeyReusedError as exc:
            raise ConfigurationError(f"the account {shown(name)} was opened with another starting_cash") from exc
        except RejectedRecordError as exc:
            raise exc.named({exc.field: "starting_cash"}) from exc
    return account


def find_account(account: AccountHandle | Account | UUID | str | None = None) -> AccountHandle:
    """
    Return the handle of books that were opened: by handle, row, id or name.

    None means the account `default` (PAPER, USD, starting cash 100000), opened at first use.

    Raises:
        ConfigurationError: no account of that name or id was opened; a typo must not open one.
        RejectedRecordError: it is none of these.
    """
    if isinstance(account, AccountHandle):
        return account
    if account is None:
        return _default_account()
    if isinstance(account, Account):
        return _handle(account, account.owner.username)
    if not isinstance(account, UUID):
        checks.check_text("account", account, length=NAME_LENGTH_MAX, blank=False)
    found = _ask(partial(_stored, account))
    if found is None:
        found = _remembered(account)
    else:
        for handle in found:
            _known().save(handle.id, _as_text(handle))
    if len(found) > 1:
        raise ConfigurationError(f"several owners have an account {shown(account)}; give its id or handle")
    if not found:
        raise ConfigurationError(f"no account {shown(account)} was opened; open it with friren.open_account()")
    return found[0]


def register() -> None:
    """Let accounts that were opened while the database was down travel through the journal."""
    register_record("account", {field.name: str for field in dataclasses.fields(AccountHandle) if field.name != "id"})
    register_handler("account", _store_account)


def _default_account() -> AccountHandle:
    return open_account(DEFAULT_ACCOUNT, starting_cash=DEFAULT_CASH)


def _opening_deposit(account_id: UUID, currency: str, cash: Decimal | int | None) -> Fact | None:
    if cash is None or checks.check_decimal("starting_cash", cash, allows=_is_cash, rule=CASH_RULE) == 0:
        return None
    return make_fact(
        spec_named("cash_movement").model,
        id=natural_id("cash_movement", account_id, "opening deposit"),
        account=account_id, kind="DEPOSIT", currency=currency, amount=cash, occurred_at=BOOKS_BEGIN,
        reason="opening deposit",
    )  # fmt: skip


def _is_cash(amount: Decimal) -> bool:
    return 0 <= amount < LIMIT


def _ask(question: Callable[[str], Answer]) -> Answer | None:
    """Ask the database, on the caller's own transaction if one is open; None when it does not answer."""
    if connections["default"].in_atomic_block:
        return question("default")
    return engine_for().store(question, deadline=OPENING_SECONDS)


def _get_or_create(new: AccountHandle, alias: str) -> AccountHandle:
    accounts = Account.objects.using(alias)
    found = accounts.filter(id=new.id).first()
    if found is None:
        # Bots may not read passwords.
        user = User.objects.using(alias).filter(username=new.owner).defer("password").first()
        if user is None:
            raise ConfigurationError(f"no user {shown(new.owner)} exists, who could own the account {shown(new.name)}")
        columns = {name: value for name, value in _as_text(new).items() if name != "owner"}
        # Two processes may open the same books at once: the second insert does nothing.
        accounts.bulk_create([Account(id=new.id, owner=user, **columns)], ignore_conflicts=True)
        found = accounts.get(id=new.id)
    return _handle(found, new.owner)


def _stored(account: UUID | str, alias: str) -> list[AccountHandle]:
    known = Account.objects.using(alias).select_related("owner").defer("owner__password")
    found = known.filter(id=account) if isinstance(account, UUID) else known.filter(name=account)
    return [_handle(row, row.owner.username) for row in found[:2]]


def _remembered(account: UUID | str) -> list[AccountHandle]:
    if isinstance(account, UUID):
        facts = _known().find(account)
        found = [facts] if facts is not None else []
    else:
        found = _known().named(account)
    return [AccountHandle(id=Account.id_of(owner=one["owner"], name=one["name"]), **one) for one in found]


def _open_offline(new: AccountHandle) -> AccountHandle:
    """Open books while the database is down: their opening goes to the journal, before anything that is theirs."""
    facts = _known().find(new.id)
    if facts is not None:
        return AccountHandle(id=new.id, **facts)
    engine_for().accept(Fact(kind="account", id=new.id, values=_as_text(new)), sync=True)
    return new


def _store_account(fact: Fact, *, using: str) -> Receipt:
    """Store an account that was opened while the database was down."""
    new = AccountHandle(id=fact.id, **fact.values)
    there = Account.objects.using(using).filter(id=fact.id).exists()
    try:
        stored = _get_or_create(new, using)
    except ConfigurationError as exc:
        raise RejectedRecordError("owner", new.owner, str(exc)) from exc
    for field in ("environment", "base_currency", "cost_basis", "position_mode"):
        if getattr(stored, field) != getattr(new, field):
            raise KeyReusedError(field, getattr(new, field), f"the account was opened with {getattr(stored, field)}")
    return Receipt(fact.id, WriteOutcome.DUPLICATE if there else WriteOutcome.STORED)


def _known() -> KnownAccounts:
    return _known_for(Path(settings.FRIREN_HOME) / "accounts" / engine_for().address.folder)


@functools.cache
def _known_for(folder: Path) -> KnownAccounts:
    return KnownAccounts(folder)


def _as_text(account: AccountHandle) -> dict[str, str]:
    return {field.name: getattr(account, field.name) for field in dataclasses.fields(account) if field.name != "id"}


def _handle(account: Account, owner: str) -> AccountHandle:
    shared = (field.name for field in dataclasses.fields(AccountHandle) if field.name != "owner")
    return AccountHandle(owner=owner, **{name: getattr(account, name) for name in shared})


def _choice(field: str, value: Any, choices: Any) -> str:
    return checks.check_choice(field, value, stored={v.casefold(): v for v in choices.values}, blank=False)


def _time_zone(name: str) -> str:
    checks.check_text("timezone", name, length=64, blank=False)
    try:
        return zoneinfo.ZoneInfo(name).key
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise RejectedRecordError("timezone", name, "must be an IANA time zone") from exc
