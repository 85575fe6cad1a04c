"""What people keep up in the admin: what they may change, and that every change is in the audit log."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from friren.accounts import find_account
from friren.core.models import Account, AuditLog, User
from tests.factories import AccountFactory, PredictionEventFactory, PredictionMarketFactory, SymbolFactory, UserFactory
from trading_engine.models import PredictionMarket, Symbol


def edits():
    """The entries of the audit log, but for that of signing in."""
    return AuditLog.objects.exclude(action="LOGIN")


@pytest.fixture
def manager() -> User:
    return UserFactory(username="manager", is_staff=True, is_superuser=True)


@pytest.fixture
def client(manager) -> Client:
    signed_in = Client(REMOTE_ADDR="192.0.2.7")
    signed_in.force_login(manager)
    return signed_in


def entries():
    return edits().order_by("recorded_seq")


def page_of(row) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def form_of(client, path) -> dict[str, str]:
    """What a browser would send back of the form at `path`."""
    response = client.get(path)
    assert response.status_code == 200
    form = response.context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in values.items() if value is not None and value is not False}


def edit(client, row, **changes):
    sent = form_of(client, page_of(row)) | {name: value for name, value in changes.items() if value is not None}
    for name in [name for name, value in changes.items() if value is None]:
        sent.pop(name, None)
    return client.post(page_of(row), sent)


def test_a_symbol_is_edited_but_not_what_the_books_hang_on(client) -> None:
    symbol = SymbolFactory(ticker="AAPL", tick_size=Decimal("0.01"))
    sent = form_of(client, page_of(symbol))

    assert sent["tick_size"] == "0.01"
    assert not {"ticker", "venue", "currency", "multiplier"} & sent.keys()
    response = client.post(page_of(symbol), sent | {"name": "Apple", "tick_size": "0.005", "ticker": "MSFT"})
    assert response.status_code == 302
    symbol.refresh_from_db()
    assert (symbol.ticker, symbol.name, symbol.tick_size) == ("AAPL", "Apple", Decimal("0.005"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tick_size", "0"),
        ("tick_size", "-1"),
        ("tick_size", "NaN"),
        ("tick_size", "1E20"),
        ("tick_size", "0.0000000000000000001"),
        ("name", "x" * 256),
        ("name", "\x00"),
    ],
)
def test_a_wrong_value_is_refused_by_name(field, value, client) -> None:
    symbol = SymbolFactory()
    response = edit(client, symbol, **{field: value})

    assert response.status_code == 200
    assert response.context["adminform"].form.errors.keys() == {field}
    assert not edits().exists()


def test_a_symbol_is_added_once(client) -> None:
    new = {"ticker": "ES", "venue": "CME", "currency": "USD", "multiplier": "50", "is_active": "on"}
    add = reverse("admin:trading_engine_symbol_add")

    assert client.post(add, new).status_code == 302
    assert client.post(add, new).status_code == 200
    assert Symbol.objects.get().multiplier == 50


def test_a_change_is_audited_with_who_from_where_and_what(client, manager) -> None:
    symbol = SymbolFactory(sector="Technology", tick_size=Decimal("0.01"))
    edit(client, symbol, sector="Energy", tick_size="0.05")

    entry = edits().get()
    assert (entry.actor, entry.actor_label, entry.action, entry.source) == (manager, "manager", "UPDATE", "admin")
    assert (entry.model_label, entry.object_pk) == ("trading_engine.Symbol", str(symbol.pk))
    assert entry.remote_addr == "192.0.2.7"
    assert entry.before == {"sector": "Technology", "tick_size": "0.01"}
    assert entry.after == {"sector": "Energy", "tick_size": "0.05"}


def test_saving_without_a_change_leaves_no_entry(client) -> None:
    edit(client, SymbolFactory())

    assert not edits().exists()


def test_a_change_that_cannot_be_audited_is_not_made(client, monkeypatch) -> None:
    symbol = SymbolFactory(sector="Technology")

    def broken(*_args, **_kwargs):
        raise RuntimeError("no audit log")

    monkeypatch.setattr("friren.operations.admin.editing.record_change", broken)
    with pytest.raises(RuntimeError, match="no audit log"):
        edit(client, symbol, sector="Energy")
    assert Symbol.objects.get().sector == "Technology"


def test_an_account_is_opened_as_by_open_account(client) -> None:
    owner = UserFactory(username="ada")
    add = reverse("admin:core_account_add")
    new = form_of(client, add) | {
        "owner": str(owner.pk), "name": "swing", "environment": "LIVE", "base_currency": "EUR", "cost_basis": "FIFO",
        "timezone": "Europe/Berlin",
    }  # fmt: skip

    assert client.post(add, new).status_code == 302
    account = Account.objects.get(name="swing")
    assert account.id == Account.id_of(owner="ada", name="swing")
    assert account.is_active
    handle = find_account("swing")
    assert (handle.environment, handle.base_currency, handle.cost_basis) == ("LIVE", "EUR", "FIFO")
    assert handle.timezone == "Europe/Berlin"
    entry = edits().get()
    assert (entry.action, entry.account, entry.after["name"]) == ("CREATE", account, "swing")
    again = client.post(add, new | {"environment": "PAPER"})
    assert again.status_code == 200
    assert Account.objects.get(name="swing").environment == "LIVE"


@pytest.mark.parametrize(
    ("field", "value"), [("name", ""), ("environment", "TOY"), ("timezone", "Mars/Olympus"), ("base_currency", "")]
)
def test_an_account_with_a_wrong_setting_is_not_opened(field, value, client) -> None:
    add = reverse("admin:core_account_add")
    new = form_of(client, add) | {"owner": str(UserFactory().pk), "name": "swing", field: value}

    assert client.post(add, new).context["adminform"].form.errors.keys() == {field}
    assert not Account.objects.exists()


def test_of_an_account_only_time_zone_and_activity_change(client) -> None:
    account = AccountFactory(name="swing")
    sent = form_of(client, page_of(account))

    assert set(sent) == {"timezone", "is_active"}
    edit(client, account, timezone="Asia/Tokyo", is_active=None, name="other", environment="LIVE")
    account.refresh_from_db()
    assert (account.timezone, account.is_active, account.name, account.environment) == (
        "Asia/Tokyo", False, "swing", "PAPER",
    )  # fmt: skip
    assert edits().get().after == {"timezone": "Asia/Tokyo", "is_active": False}


def test_a_market_may_name_an_event_that_is_not_stored(client) -> None:
    market = PredictionMarketFactory(event_id="elsewhere")
    sent = form_of(client, page_of(market))

    assert sent["event_key"] == "elsewhere"
    assert sent["yes_price"] == "0.4"
    edit(client, market, event_key="elsewhere too", yes_price="0.45")
    market = PredictionMarket.objects.get()
    assert (market.event_id, market.yes_price) == ("elsewhere too", Decimal("0.45"))
    edit(client, market, event_key="")
    assert PredictionMarket.objects.get().event_id is None
    assert [entry.after.get("event_id") for entry in edits().order_by("recorded_seq")] == [
        "elsewhere too",
        None,
    ]


def test_an_event_is_edited_with_its_json_laid_out(client) -> None:
    event = PredictionEventFactory(event_data={"tags": ["politics"]})
    sent = form_of(client, page_of(event))

    assert sent["event_data"] == '{\n  "tags": [\n    "politics"\n  ]\n}'
    assert edit(client, event, event_data='{"tags": ').status_code == 200
    assert edit(client, event, event_data='{"tags": []}').status_code == 302
    event.refresh_from_db()
    assert event.event_data == {"tags": []}


def test_a_user_is_edited_but_not_renamed_once_accounts_hang_on_the_name(client) -> None:
    user = UserFactory(username="ada")
    assert "username" in form_of(client, page_of(user))
    AccountFactory(owner=user)

    assert "username" not in form_of(client, page_of(user))
    staff = Group.objects.create(name="desk")
    edit(client, user, risk_tolerance="HIGH", default_position_size="2.5", groups=[str(staff.pk)])
    user.refresh_from_db()
    assert (user.username, user.risk_tolerance, user.default_position_size) == ("ada", "HIGH", Decimal("2.50"))
    assert edits().get().after == {
        "risk_tolerance": "HIGH", "default_position_size": "2.5", "groups": [str(staff.pk)],
    }  # fmt: skip


def test_a_new_password_is_audited_but_never_shown(client) -> None:
    user = UserFactory()
    change = reverse("admin:auth_user_password_change", args=[user.pk])
    secret = "a long enough passphrase 7"

    response = client.post(change, {"password1": secret, "password2": secret, "usable_password": "true"})
    assert response.status_code == 302
    user.refresh_from_db()
    assert user.check_password(secret)
    entry = edits().get()
    assert (entry.object_pk, entry.before, entry.after) == (
        str(user.pk), {"password": "(hidden)"}, {"password": "(hidden)"},
    )  # fmt: skip


def test_a_password_hash_is_shown_to_nobody(client) -> None:
    user = UserFactory()
    user.set_password("a long enough passphrase 7")
    user.save()
    for who in (client, looker("view_user")):
        page = who.get(page_of(user))
        assert page.status_code == 200
        assert user.password.rpartition("$")[2] not in page.content.decode()


def test_groups_are_audited_when_they_are_made_changed_and_deleted(client) -> None:
    client.post(reverse("admin:auth_group_add"), {"name": "desk"})
    group = Group.objects.get()
    client.post(page_of(group), {"name": "trading desk"})
    client.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"})

    assert [(entry.action, entry.before.get("name"), entry.after.get("name")) for entry in entries()] == [
        ("CREATE", None, "desk"), ("UPDATE", "desk", "trading desk"), ("DELETE", "trading desk", None),
    ]  # fmt: skip


def looker(*codenames) -> Client:
    """A staff member who may see some tables and change none."""
    viewer, clerk = Client(), UserFactory(is_staff=True)
    clerk.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    viewer.force_login(clerk)
    return viewer


@pytest.mark.parametrize(
    ("make", "values", "shown"),
    [
        (SymbolFactory, {"tick_size": Decimal("0.01")}, ">0.01</span>"),
        (AccountFactory, {"timezone": "Asia/Tokyo"}, ">Asia/Tokyo</span>"),
        (PredictionEventFactory, {"liquidity": Decimal("12345.6789")}, ">12345.6789</span>"),
        (PredictionMarketFactory, {"event_id": "elsewhere"}, ">elsewhere</a>"),
        (UserFactory, {"default_position_size": Decimal("2.5")}, ">2.5</span>"),
    ],
)
def test_who_may_only_look_sees_values_and_no_form(make, values, shown) -> None:
    row = make(**values)
    row.refresh_from_db()
    viewer = looker(f"view_{row._meta.model_name}")
    page = viewer.get(page_of(row))

    assert page.status_code == 200
    assert shown in page.content.decode()
    assert b"<textarea" not in page.content
    assert b"<select" not in page.content
    assert b'name="_save"' not in page.content
    assert viewer.post(page_of(row), {"name": "x"}).status_code == 403


def test_a_time_that_is_typed_says_its_zone(client) -> None:
    assert "In UTC." in client.get(page_of(SymbolFactory())).content.decode()


def test_who_signs_in_is_told(manager) -> None:
    manager.set_password("correct horse")
    manager.save()
    visitor = Client(REMOTE_ADDR="192.0.2.9")
    visitor.post(reverse("admin:login"), {"username": "manager", "password": "wrong"})
    assert not AuditLog.objects.exists()

    visitor.post(reverse("admin:login"), {"username": "manager", "password": "correct horse"})

    entry = AuditLog.objects.get()
    assert (entry.action, entry.actor, entry.actor_label, entry.remote_addr) == (
        "LOGIN",
        manager,
        "manager",
        "192.0.2.9",
    )
