"""Ideas in the admin: people approve and reject, turn the switch, and read what was decided and seen."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from friren.core.models import AuditLog
from portfolio_manager.models import DecisionHistory, RiskConfig, Strategy, TradeIdea, TradingJournal
from tests.factories import MONDAY, PositionFactory, StrategyFactory, UserFactory

IDEA = {
    "symbol": "AAPL", "direction": "long", "entry_price": Decimal("187.50"), "quantity": 1, "timestamp": MONDAY,
    "confidence_score": 0.5,
}  # fmt: skip
IDEAS = reverse("admin:portfolio_manager_tradeidea_changelist")


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def manager():
    return UserFactory(username="ada", is_staff=True, is_superuser=True)


@pytest.fixture
def client(manager) -> Client:
    return signed_in(manager)


@pytest.fixture
def doubtful(service, config):
    """Two ideas that wait for a person."""
    ideas = [service.propose(**IDEA) for _ in range(2)]
    assert [service.evaluate(idea).status for idea in ideas] == ["needs_approval"] * 2
    return ideas


def act(client, action: str, *ideas, reason: str = ""):
    sent = {"action": action, "_selected_action": [str(idea.id) for idea in ideas], "reason": reason, "index": "0"}
    return client.post(IDEAS, sent, follow=True)


def said(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def statuses(*ideas) -> list[str]:
    found = dict(TradeIdea.objects.values_list("id", "status"))
    return [found[idea.id] for idea in ideas]


def test_a_person_approves_ideas_from_the_list(client, manager, doubtful) -> None:
    assert said(act(client, "approve", *doubtful, reason="seen before")) == ["2 ideas approved."]

    assert statuses(*doubtful) == ["auto_executed"] * 2
    decisions = DecisionHistory.objects.filter(action="human_approved")
    assert {(one.actor, one.rationale, one.human_override) for one in decisions} == {(manager, "seen before", True)}
    assert said(act(client, "approve", doubtful[0])) == [f"{doubtful[0].id} is approved already."]


def test_a_person_rejects_ideas_only_for_a_reason(client, doubtful) -> None:
    assert said(act(client, "reject", *doubtful)) == ["Say why: an idea is rejected for a reason."]
    assert statuses(*doubtful) == ["needs_approval"] * 2

    assert said(act(client, "reject", doubtful[0], reason="too late")) == ["1 idea rejected."]
    assert statuses(*doubtful) == ["rejected", "needs_approval"]


def test_an_idea_that_cannot_be_reviewed_keeps_no_other_from_it(client, service, doubtful) -> None:
    waiting = service.propose(**IDEA)
    told = said(act(client, "approve", waiting, doubtful[0]))

    assert statuses(waiting, doubtful[0]) == ["waiting", "auto_executed"]
    assert told[-1] == "1 idea approved."
    assert f"{waiting.id}: " in told[0]
    assert "can follow waiting" in told[0]


def test_who_may_only_look_is_offered_no_review(doubtful) -> None:
    clerk = UserFactory(is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_tradeidea"))
    client = signed_in(clerk)

    assert b"Approve" not in client.get(IDEAS).content
    act(client, "approve", *doubtful)
    assert statuses(*doubtful) == ["needs_approval"] * 2

    clerk.user_permissions.add(Permission.objects.get(codename="change_tradeidea"))
    act(signed_in(type(clerk).objects.get(pk=clerk.pk)), "approve", *doubtful)
    assert statuses(*doubtful) == ["auto_executed"] * 2


def test_the_page_of_an_idea_shows_its_decisions_and_what_was_seen(client, service, config) -> None:
    idea = service.propose(
        **IDEA,
        seen={"candles": [{"symbol": "AAPL", "timeframe": "1h", "open": 1, "high": 3, "low": 1, "close": 2}],
              "news": [{"headline": "Apple rises", "source": "Reuters", "published_at": MONDAY}]},
    )  # fmt: skip
    service.evaluate(idea)
    page = client.get(reverse("admin:portfolio_manager_tradeidea_change", args=[idea.id]))
    panels = {panel.title: panel for panel in page.context["panels"]}

    assert list(panels) == ["Decisions", "Seen: candles", "Seen: news", "Seen: account"]
    actions = [re.sub(r"<[^>]+>", "", str(row[1])) for row in panels["Decisions"].rows]
    assert actions == ["proposed", "proposed"]
    assert b"min_confidence_threshold: 0.5, limit 0.7" in page.content


def test_decisions_are_browsed_by_their_day(client, doubtful) -> None:
    url = reverse("admin:portfolio_manager_decisionhistory_changelist")
    page = client.get(url, {"occurred_at__year": 2024, "occurred_at__month": 1, "occurred_at__day": 8})

    assert page.status_code == 200
    assert page.context["cl"].result_count == 2  # the proposals; the evaluations are of today
    assert client.get(url).context["cl"].result_count == 4


def form_of(client, path) -> dict[str, object]:
    form = client.get(path).context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in values.items() if value not in {None, False}}


def test_turning_the_switch_is_a_decision_that_halts_and_resumes(client, manager, service, doubtful) -> None:
    page = reverse("admin:portfolio_manager_riskconfig_change", args=[1])
    sent = form_of(client, page)
    assert (
        client.post(page, {name: value for name, value in sent.items() if name != "ai_trading_enabled"}).status_code
        == 302
    )

    found = RiskConfig.load()
    assert (found.ai_trading_enabled, found.last_halt_reason, found.updated_by) == (
        False,
        "switched off by ada",
        manager,
    )
    assert statuses(*doubtful) == ["halted_by_risk"] * 2
    assert DecisionHistory.objects.get(action="ai_halted", account=None).actor == manager
    client.post(page, {**form_of(client, page), "ai_trading_enabled": "on", "max_lot_size": "2.5"})
    assert statuses(*doubtful) == ["waiting"] * 2
    assert RiskConfig.load().max_lot_size == Decimal("2.5")
    changes = AuditLog.objects.filter(model_label="portfolio_manager.RiskConfig")
    assert {(one.action, one.after.get("max_lot_size")) for one in changes} >= {("UPDATE", "2.5")}


def test_there_is_one_risk_configuration_and_no_second(client) -> None:
    shown = client.get(reverse("admin:portfolio_manager_riskconfig_changelist"))

    assert [row.pk for row in shown.context["cl"].result_list] == [1]
    assert client.get(reverse("admin:portfolio_manager_riskconfig_add")).status_code == 403


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("risk_caps", '{"max_lot_size": "many"}', "max_lot_size must be a number, 0 or more"),
        ("risk_caps", '{"max_lot_size": -1}', "max_lot_size must be a number, 0 or more"),
        ("risk_caps", "[]", "a JSON object is wanted"),
        ("session_windows", '[{"from": "09:30"}]', "a window has days, end, start, timezone"),
        ("entry_conditions", '"rsi < 30"', "a JSON object is wanted"),
        ("rr_expectation", "-1", "must be between 0 and 9999"),
        ("name", "", "This field is required."),
    ],
)
def test_a_strategy_is_edited_and_nonsense_refused(client, field, value, error) -> None:
    strategy = StrategyFactory(name="dip")
    page = reverse("admin:portfolio_manager_strategy_change", args=[strategy.pk])
    refused = client.post(page, {**form_of(client, page), field: value})

    assert refused.status_code == 200
    assert error in str(refused.context["errors"])
    taken = client.post(page, {**form_of(client, page), "risk_caps": '{"max_lot_size": "2"}', "name": "deep dip"})
    assert taken.status_code == 302
    strategy.refresh_from_db()
    assert (strategy.name, strategy.cap("max_lot_size")) == ("deep dip", 2)


def test_a_strategy_is_added(client) -> None:
    sent = {"name": "breakout", "allowed_symbols": "AAPL,MSFT", "is_active": "on", "session_windows": "[]",
            "entry_conditions": "{}", "exit_rules": "{}", "forbidden_conditions": "{}", "risk_caps": "{}"}  # fmt: skip
    assert client.post(reverse("admin:portfolio_manager_strategy_add"), sent).status_code == 302

    assert Strategy.objects.get(name="breakout").allowed_symbols == ["AAPL", "MSFT"]


def test_a_journal_entry_is_its_writers_and_outlives_its_position(client, manager) -> None:
    position = PositionFactory()
    sent = {"title": "Too early", "content": "Sold at the first target.", "position": str(position.pk)}
    assert client.post(reverse("admin:portfolio_manager_tradingjournal_add"), sent).status_code == 302

    entry = TradingJournal.objects.get()
    assert (entry.user, entry.position) == (manager, position)
    position.delete()
    entry.refresh_from_db()
    assert entry.position is None
