"""How answers of Polymarket are read: whatever the order of their names, and each number exact."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from trading_engine.data.importers.parsed import Issue, UnreadableFileError
from trading_engine.data.importers.polymarket import MARKETS_OF_EVENT_MAX, read_polymarket

D = Decimal
MARKET = {"id": "1", "conditionId": "0x1", "question": "Will it rain?", "updatedAt": "2026-05-17T06:00:00Z"}


@pytest.fixture
def read(tmp_path):
    """Return what is read of a document: (facts by kind, issues)."""

    def read_document(value):
        path = tmp_path / "gamma.json"
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        found = read_polymarket([path])
        assert found.unreadable == []
        entries = [one for file in found.files for one in file]
        told = [fact for one in entries if not isinstance(one, Issue) for fact in one.told]
        return told, [one for one in entries if isinstance(one, Issue)]

    return read_document


def only_market(read, **told):
    facts, issues = read([{**MARKET, **told}])
    assert issues == []
    return next(fact.keywords for fact in facts if fact.kind == "prediction_market")


def test_an_event_may_name_itself_behind_its_markets(read) -> None:
    facts, _ = read(
        {"ticker": "rain", "markets": [MARKET], "endDate": "2026-06-01T00:00:00Z", "title": "Rain", "id": "7"}
    )

    assert [fact.kind for fact in facts] == ["prediction_event", "prediction_market", "prediction_market_snapshot"]
    assert (facts[1].keywords["event"], facts[1].keywords["event_title"]) == ("7", "Rain")
    assert "markets" not in facts[0].keywords["event_data"]


def test_outcomes_are_told_in_either_order(read) -> None:
    told = only_market(
        read, outcomes='["No", "Yes"]', outcomePrices='["0.9", "0.1"]', clobTokenIds='["of no", "of yes"]'
    )

    assert (told["yes_price"], told["no_price"]) == (D("0.1"), D("0.9"))
    assert (told["yes_token_id"], told["no_token_id"]) == ("of yes", "of no")


def test_the_first_of_two_other_outcomes_stands_for_yes(read) -> None:
    told = only_market(read, outcomes='["Over", "Under"]', outcomePrices='["0.7", "0.3"]')

    assert told["yes_price"] == D("0.7")


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ({"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": '["1", "0"]'}, "YES"),
        ({"closed": True, "outcomePrices": '["0", "1"]'}, "NO"),
        ({"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": '["0.5", "0.5"]'}, "INVALID"),
        ({"closed": True, "umaResolutionStatus": "disputed", "outcomePrices": '["1", "0"]'}, None),
        ({"closed": True, "outcomePrices": '["0.5", "0.5"]'}, None),
        ({"closed": False, "outcomePrices": '["1", "0"]'}, None),
        ({"closed": True, "umaResolutionStatus": "resolved"}, None),
    ],
)
def test_a_market_is_decided_once_it_is_paid_out(read, told, outcome) -> None:
    assert only_market(read, **told)["resolved_outcome"] == outcome


def test_numbers_are_exact_and_data_stays_as_it_was_told(read) -> None:
    told = only_market(read, volume="31056779.914250713", spread=0.001, rewardsMinSize=100, series=[{"volume": 1.5}])

    assert told["volume"] == D("31056779.914250713")
    assert told["market_data"]["spread"] == 0.001
    assert told["market_data"]["series"] == [{"volume": 1.5}]


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"outcomes": '["A", "B", "C"]'}, "outcomes"),
        ({"outcomes": "Yes"}, "outcomes"),
        ({"outcomePrices": '["0.5"]'}, "outcomePrices"),
        ({"clobTokenIds": "[1, 2]"}, "clobTokenIds"),
        ({"outcomePrices": '["half", "half"]'}, "outcomePrices[0]"),
        ({"question": ""}, "question"),
        ({"updatedAt": "yesterday"}, "updatedAt"),
    ],
)
def test_a_market_that_makes_no_sense_is_refused_by_name(read, told, field) -> None:
    facts, (issue,) = read([{**MARKET, **told}])

    assert facts == []
    assert (issue.field, issue.path, issue.line) == (field, "[0]", 1)


@pytest.mark.parametrize("broken", ['"text"', "null", "3", "[{}]"])
def test_an_event_that_is_none_is_refused(read, broken) -> None:
    facts, (issue,) = read(f'[{{"ticker": "x", "id": "1", "title": "one"}},\n{broken}]')

    assert len(facts) == 1
    assert (issue.line, issue.path, issue.rule) == (2, "[1]", "an object with named values is wanted")


def test_an_event_without_end_is_no_event(tmp_path) -> None:
    path = tmp_path / "gamma.json"
    markets = ",".join(["{}"] * (MARKETS_OF_EVENT_MAX + 1))
    path.write_text(f'{{"ticker": "x", "markets": [{markets}]}}')
    (file,) = read_polymarket([path]).files

    with pytest.raises(UnreadableFileError, match="more than 10000 markets"):
        list(file)
