"""Why a trade was made and what came of it: all of it in one call, and what is missing by name."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

import friren
from friren.core.models import User
from friren.persistence.engines import engine_for
from portfolio_manager.data_logger import DecisionLogger, PortfolioTracker, TradeIdeaService
from tests.explained import HOUR, trade_with_everything
from tests.factories import MONDAY, UserFactory
from trading_engine.services import TradeLogger

pytestmark = pytest.mark.usefixtures("database")
D = Decimal


@pytest.fixture
def book():
    return friren.open_account("explained", starting_cash=D(100_000))


@pytest.fixture
def tracker(book):
    return PortfolioTracker(book)


@pytest.fixture
def traded(book):
    return trade_with_everything(book)


def test_everything_is_told_in_one_call(tracker, traded) -> None:
    found = tracker.explain(traded["trade"])

    assert (found.trade.id, found.order.id, found.idea.id, found.signal.id) == (
        traded["trade"], traded["order"], traded["idea"], traded["signal"],
    )  # fmt: skip
    assert [row.action for row in found.decisions] == ["ai_proposed", "ai_proposed", "human_approved"]
    assert [[one["rule"] for one in result["breaches"]] for result in found.gate] == [["min_confidence_threshold"]]
    assert [row.to_status for row in found.order_events] == ["submitted", "filled"]
    assert [(row.price, row.quantity) for row in found.other_fills] == [(188, 5)]
    assert [(row.role, row.quantity, row.realized_pnl) for row in found.effects] == [("OPEN", 5, 0)]
    (position,) = found.positions
    assert (position.realized_pnl, position.commission, position.status) == (25, 2, "closed")
    assert found.realized_pnl == 0
    assert found.trade.shap_values == {"rsi": 0.4}
    assert [row.headline for row in found.sentiments] == ["Apple rises"]
    assert [(row.detector, row.regime_type) for row in found.regimes] == [("ENHANCED", "BULL")]
    assert [row.transition_reason for row in found.observations] == ["trend up"]
    assert (len(found.seen.candles), len(found.seen.accounts)) == (1, 1)
    assert found.missing == ()
    assert (found.stale, found.as_of is not None) == (False, True)


def test_what_is_not_there_is_named_and_nothing_is_invented(book, tracker) -> None:
    plain = tracker.record_trade(symbol="AAPL", action="buy", quantity=1, price=10, timestamp=MONDAY)
    found = tracker.explain(plain)

    assert {one.link: one.why for one in found.missing} == {
        "signal": "no signal names the trade", "idea": "no idea names the trade", "decisions": "there is no idea",
        "gate": "there is no idea", "order": "the trade names none", "sentiments": "none is linked to the trade",
        "profit": "the position is open and not marked, so what is unrealised is not known",
        "shap_values": "the trade names none", "snapshots": "there is no idea",
        "regime": "the trade names none, and no interval is stored of that moment",
    }  # fmt: skip
    assert (found.signal, found.idea, found.order, found.seen, found.gate) == (None, None, None, None, [])
    TradeLogger(book).bust_trade(plain, reason="wrong")
    tracker.get_current_positions()
    busted = {one.link: one.why for one in tracker.explain(plain).missing}
    assert busted["position"] == "the trade was busted"
    assert "profit" not in busted
    logged = TradeLogger(book).log_trade(symbol="AAPL", action="buy", quantity=1, price=10, timestamp=MONDAY)
    assert {one.link: one.why for one in tracker.explain(logged).missing}["position"] == "the trade is not booked yet"
    assert tracker.explain(trade_elsewhere().id) is None


def trade_elsewhere():
    other = PortfolioTracker(friren.open_account("other"))
    return other.record_trade(symbol="AAPL", action="buy", quantity=1, price=10, timestamp=MONDAY)


def test_a_fill_that_crosses_zero_is_told_with_both_positions(tracker) -> None:
    tracker.record_trade(symbol="AAPL", action="buy", quantity=2, price=10, timestamp=MONDAY)
    crossing = tracker.record_trade(symbol="AAPL", action="sell", quantity=5, price=12, timestamp=MONDAY + HOUR)
    found = tracker.explain(crossing)

    assert [row.role for row in found.effects] == ["CLOSE", "OPEN"]
    assert [(row.side, row.status) for row in found.positions] == [("LONG", "closed"), ("SHORT", "open")]
    assert found.realized_pnl == 4


def test_the_number_of_questions_does_not_depend_on_how_much_there_is(tracker, book, traded, monkeypatch) -> None:
    asked = []
    engine = engine_for("default")
    read = engine.read
    monkeypatch.setattr(engine, "read", lambda question: asked.append(1) or read(question))
    tracker.explain(traded["trade"])
    before = len(asked)
    for minute in range(30):
        tracker.record_trade(symbol="AAPL", action="buy", quantity=1, price=10, order=traded["order"],
                             timestamp=MONDAY + minute * HOUR)  # fmt: skip
        DecisionLogger(book).log_decision(action="ai_proposed", timestamp=MONDAY, idea=traded["idea"])
    asked.clear()
    assert len(tracker.explain(traded["trade"]).other_fills) == 31

    assert len(asked) == before <= 36


def test_the_command_tells_it(traded, capsys) -> None:
    call_command("explain", str(traded["trade"]), "--json")
    told = json.loads(capsys.readouterr().out)

    assert (told["trade"]["id"], told["idea"]["id"]) == (str(traded["trade"]), str(traded["idea"]))
    assert (told["positions"][0]["realized_pnl"], told["missing"]) == ("25", [])
    assert told["gate"][0]["escalated"] == ["min_confidence_threshold"]
    call_command("explain", str(traded["trade"]))
    out = capsys.readouterr().out
    assert "Apple rises" in out
    assert "seen before" in out
    with pytest.raises(CommandError, match="there is no such trade"):
        call_command("explain", str(traded["idea"]))


@pytest.fixture
def staff(client):
    client.force_login(User.objects.create_superuser("staff"))
    return client


def page(client, name: str, key) -> str:
    response = client.get(reverse(f"admin:{name}", args=[key]))
    assert response.status_code == 200
    return response.content.decode()


def test_there_is_a_page_that_trade_idea_and_position_lead_to(staff, tracker, traded) -> None:
    text = page(staff, "friren_explanation", traded["trade"])
    position = tracker.explain(traded["trade"]).positions[0].id

    headings = ["Signal", "Idea", "Risk gate", "Decisions", "Order", "Moves of the order", "Trade",
                "Other fills of the order", "Effect on positions", "Outcome: positions", "Regimes at the time",
                "What the detectors saw last", "Sentiments", "Seen: candles", "Seen: accounts"]  # fmt: skip
    places = [text.index(f">{heading}</h2>") for heading in headings]
    assert places == sorted(places)
    assert "What is missing" not in text
    assert "min_confidence_threshold" in text
    link = reverse("admin:friren_explanation", args=[traded["trade"]])
    for name, key in (("trading_engine_trade", traded["trade"]), ("portfolio_manager_tradeidea", traded["idea"]),
                      ("portfolio_manager_position", position)):  # fmt: skip
        assert link in page(staff, f"{name}_change", key)
    assert staff.get(reverse("admin:friren_explanation", args=[traded["idea"]])).status_code == 404


def test_the_page_of_a_bare_trade_says_what_is_missing(staff, tracker) -> None:
    plain = tracker.record_trade(symbol="AAPL", action="buy", quantity=1, price=10, timestamp=MONDAY)
    text = page(staff, "friren_explanation", plain.id)

    assert "What is missing" in text
    assert "no signal names the trade" in text


def test_decisions_are_read_in_time_of_an_idea_and_of_an_account(staff, book, traded) -> None:
    ideas = TradeIdeaService(book)
    ideas.halt("exchange outage", timestamp=MONDAY + HOUR)
    of_idea = page(staff, "friren_decisions_of_idea", traded["idea"])
    of_account = page(staff, "friren_decisions_of_account", book.id)

    assert of_idea.index("seen before") < of_idea.index("min_confidence_threshold: 0.5, limit 0.7 (escalate)")
    assert "by ada" in of_idea
    assert "exchange outage" not in of_idea
    assert of_account.index("exchange outage") < of_account.index("seen before")
    assert reverse("admin:friren_explanation", args=[traded["trade"]]) in of_account
    for name, key in (("portfolio_manager_tradeidea", traded["idea"]), ("core_account", book.id)):
        kind = "idea" if "idea" in name else "account"
        assert reverse(f"admin:friren_decisions_of_{kind}", args=[key]) in page(staff, f"{name}_change", key)


def test_a_long_timeline_has_pages_by_key(staff, book) -> None:
    log = DecisionLogger(book)
    for minute in range(120):
        log.log_decision(action="ai_proposed", timestamp=MONDAY + minute * HOUR, rationale=f"note {minute:03}",
                         risk_check_result={"breaches": "none"})  # fmt: skip
    url, notes = reverse("admin:friren_decisions_of_account", args=[book.id]), []
    for _ in range(3):
        response = staff.get(url)
        rows = response.context["entries"]
        notes += [row["rationale"] for row in rows]
        link = [str(one) for one in response.context["pages"] if "Older" in one]
        url = link[0].split('"')[1].replace("&amp;", "&") if link else ""

    assert notes == [f"note {minute:03}" for minute in reversed(range(120))]
    assert url == ""
    first = reverse("admin:friren_decisions_of_account", args=[book.id])
    for wrong in ("?before=now&id=1", "?before=2024-01-01&id=" + str(book.id)):
        assert staff.get(first + wrong).status_code == 404


def test_who_may_not_look_at_ideas_sees_no_explanation(client, traded, book) -> None:
    from django.contrib.auth.models import Permission

    looker = UserFactory(username="looker", is_staff=True)
    looker.user_permissions.set(Permission.objects.filter(codename__in=["view_trade", "view_order"]))
    client.force_login(looker)

    for name, key in (("explanation", traded["trade"]), ("decisions_of_idea", traded["idea"]),
                      ("decisions_of_account", book.id)):  # fmt: skip
        assert client.get(reverse(f"admin:friren_{name}", args=[key])).status_code == 403
