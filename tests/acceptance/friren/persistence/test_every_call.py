"""Every method of every service in an outage: each call ends in a named outcome, and each record follows once."""

from __future__ import annotations

import contextlib

import pytest

from tests.acceptance.friren.persistence.outage_tools import account_of_records, logger, migrated, replay
from tests.every_call import STEPS, missing_steps
from tests.outages import frozen

__all__ = ["logger", "migrated"]

# The longest that any call may take, whatever it does: BULK_DEADLINE_SECONDS.
BOUND = 10.0
# While the database is there, every call shall be seen to be stored, however busy the machine.
PATIENT = {"FRIREN_WRITE_DEADLINE": "5"}
# Calls that tell of two facts by one record.
PAIRS = ("TradeLogger.log_round_trip", "TradeLogger.correct_trade")
# Calls after which a record beside theirs notes when that was done.
NOTED = (
    "SignalLogger.log_batch", "MarketRecorder.record_events", "MarketRecorder.record_markets",
    "PredictionTracker.buy_yes", "PredictionTracker.buy_no", "PredictionTracker.sell_yes", "PredictionTracker.sell_no",
)  # fmt: skip
READS = {"get_", "current_signals", "open_orders", "current_regime", "regime_at", "latest", "bars", "calculate_pnl",
         "mark_to_market", "mark_from_snapshots", "replay", "explain"}  # fmt: skip
# Calls that work something out of what is stored: without the database there is nothing to keep for later.
DEFERRED = (
    "PortfolioTracker.update_position", "RiskLogger.compute", "TradeIdeaService.evaluate",
    "TradeIdeaService.execute", "SignalLogger.archive_current_signals",
    "PredictionTracker.resolve_decided_markets",
    "PortfolioSnapshotter.snapshot", "PortfolioSnapshotter.create_daily_portfolio_snapshot",
)  # fmt: skip


def is_read(method: str) -> bool:
    return any(method.partition(".")[2].startswith(name) for name in READS)


def is_right(call: str, end: object, outcome: str, read: str) -> bool:
    if is_read(call.partition(" ")[2]):
        return end == read
    if not isinstance(end, dict):
        return False
    if call.endswith(DEFERRED):
        return set(end) == {"DEFERRED"} if outcome == "JOURNALED" else set(end) <= {"STORED", "DUPLICATE"}
    return set(end) == {outcome}


def ends(told: dict, outcome: str, read: str) -> dict[str, object]:
    """Return the calls that ended in anything else: of writes `outcome` alone, of reads `read`."""
    return {call: end for call, end in told.items() if not is_right(call, end, outcome, read)}


def records(told: dict) -> int:
    """How many records of a journal hold what was told."""
    receipts = sum(end.get("JOURNALED", 0) for end in told.values() if isinstance(end, dict))
    noted = {note for call in told for note in NOTED if call.endswith(note)}
    return receipts - sum(call.endswith(PAIRS) for call in told) + len(noted)


def test_the_table_has_every_method() -> None:
    assert missing_steps() == set()


def test_with_the_database_down_from_the_start_every_call_is_journaled_and_told_again_is_a_duplicate(
    migrated, logger
) -> None:
    migrated.stop()
    bot = logger("tell_everything", **PATIENT)
    bot.expect("ready")
    said = bot.ask("tell A")
    first = said["told"]
    assert ends(first, "JOURNALED", "unknown") == {}
    assert said["slowest"] <= BOUND
    assert len(first) == len(STEPS)
    bot.say("end")
    bot.end()

    migrated.start()
    done = replay(migrated)
    # Beside what the calls told: four accounts, and an opening deposit.
    assert (done["replayed"], done["duplicates"]) == (records(first) + 5, 0)
    assert (done["dead_lettered"], done["remaining"]) == (0, 0)

    bot = logger("tell_everything", **PATIENT)
    bot.expect("ready")
    again = bot.ask("again A")["told"]
    assert ends(again, "DUPLICATE", "fresh") == {}
    assert len(again) == sum(step.again for step in STEPS)
    bot.say("end")
    bot.end()


@pytest.mark.parametrize("outage", ["stopped", "frozen"])
def test_with_the_database_gone_after_a_while_no_call_fails_and_all_follow(migrated, logger, outage) -> None:
    bot = logger("tell_everything", **PATIENT)
    bot.expect("ready")
    assert ends(bot.ask("tell A")["told"], "STORED", "fresh") == {}
    with contextlib.ExitStack() as stack:
        if outage == "frozen":
            stack.enter_context(frozen(migrated))
        else:
            migrated.stop()
            stack.callback(migrated.start)
        said = bot.ask("tell B")
        told = said["told"]
        assert said["slowest"] <= BOUND
        # What was asked before is remembered with its age; another account's books are not known.
        assert {call: end for call, end in ends(told, "JOURNALED", "unknown").items() if end != "stale"} == {}
    flushed = bot.ask("flush")
    assert (flushed["flushed"], flushed["backlog"]) == (True, 0)
    for name in "AB":
        assert ends(bot.ask(f"again {name}")["told"], "DUPLICATE", "fresh") == {}
    bot.say("end")
    figures, _log = bot.end()
    account = account_of_records(migrated)
    assert account["seq"] == figures["last_seq"] == account["stored"] + account["duplicates"]
    assert account["dead_lettered"] == 0
