"""Opening books, and finding them again."""

from __future__ import annotations

import dataclasses
import datetime as dt
import zoneinfo
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from friren.core.choices import CostBasis, Environment, PositionMode
from friren.core.ids import natural_id
from friren.core.models import Account, User
from friren.core.models.accounts import SYSTEM_USERNAME
from friren.core.numbers import LIMIT, plain
from friren.errors import ConfigurationError, KeyReusedError, RejectedRecordError, shown
from friren.persistence import checks, handlers
from friren.persistence.facts import Fact, make_fact, spec_named

__all__ = ["BOOKS_BEGIN", "DEFAULT_ACCOUNT", "AccountHandle", "find_account", "open_account"]

DEFAULT_ACCOUNT: Final = "default"
DEFAULT_CASH: Final = Decimal(100_000)
NAME_LENGTH_MAX: Final = 100
CASH_RULE: Final = f"0 or more and less than {plain(LIMIT)}"
# The opening deposit stands before every other fact, and at the same moment however often it is made.
BOOKS_BEGIN: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


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
    Open the books `name` of `owner`, or return them as they were opened.

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
    account = _get_or_create(account_id, owner=owner, name=name, settings={**wanted, "timezone": zone})
    for field, value in wanted.items():
        if (stored := getattr(account, field)) != value:
            raise ConfigurationError(f"the account {shown(name)} was opened with {field}={stored}, not {value}")
    if opening is not None:
        try:
            handlers.apply(opening, using="default")
        except KeyReusedError as exc:
            raise ConfigurationError(f"the account {shown(name)} was opened with another starting_cash") from exc
        except RejectedRecordError as exc:
            raise exc.named({exc.field: "starting_cash"}) from exc
    return _handle(account, owner)


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
    known = Account.objects.select_related("owner")
    if isinstance(account, UUID):
        found = known.filter(id=account)
    else:
        found = known.filter(name=checks.check_text("account", account, length=NAME_LENGTH_MAX, blank=False))
    rows = list(found[:2])
    if len(rows) > 1:
        raise ConfigurationError(f"several owners have an account {shown(account)}; give its id or handle")
    if not rows:
        raise ConfigurationError(f"no account {shown(account)} was opened; open it with friren.open_account()")
    return _handle(rows[0], rows[0].owner.username)


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


def _get_or_create(account_id: UUID, *, owner: str, name: str, settings: dict[str, str]) -> Account:
    found = Account.objects.filter(id=account_id).first()
    if found is not None:
        return found
    user = User.objects.filter(username=owner).first()
    if user is None:
        raise ConfigurationError(f"no user {shown(owner)} exists, who could own the account {shown(name)}")
    # Two processes may open the same books at once: the second insert does nothing.
    Account.objects.bulk_create([Account(id=account_id, owner=user, name=name, **settings)], ignore_conflicts=True)
    return Account.objects.get(id=account_id)


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
