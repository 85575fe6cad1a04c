"""The database goes away, in every way it can: nothing acknowledged is lost, and no call waits past its deadline."""

from __future__ import annotations

import pytest

from tests.acceptance.friren.persistence.outage_tools import account_of_records, logger, migrated, replay, stored
from tests.outages import TRADES, frozen

__all__ = ["logger", "migrated"]

DEADLINE = 0.25
# What other processes may add: the disk's, mostly. What they keep from this one's processors is not counted.
NOISE = 0.15
# Where a server that is there shall be seen to take every record, however busy the machine.
PATIENT = {"FRIREN_WRITE_DEADLINE": "30"}


def test_with_the_database_down_from_the_start_every_trade_is_journaled_and_replays_once(migrated, logger) -> None:
    migrated.stop()
    result, log = logger("log_some", "200").end()
    assert result["outcomes"] == {"JOURNALED": 200}
    assert result["errors"] == {}
    assert log.count("does not answer") == 1, log

    migrated.start()
    # The account and its opening deposit came before the trades.
    done = replay(migrated)
    assert (done["replayed"], done["duplicates"], done["dead_lettered"], done["remaining"]) == (202, 0, 0, 0)
    assert set(stored(migrated).values()) == {1}
    assert len(stored(migrated)) == 200

    again, log = logger("log_some", "200", **PATIENT).end()
    assert again["outcomes"] == {"DUPLICATE": 200}, log
    assert len(stored(migrated)) == 200


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["direct", "journal"])
def test_stopped_under_load_nothing_is_lost_and_nothing_twice(migrated, logger, mode) -> None:
    one = logger("log_under_load", str(TRADES), "4", mode)
    one.expect("half")
    migrated.stop()
    one.expect("logged")
    migrated.start()
    one.say("the server is back")
    result, _log = one.end()
    assert result["errors"] == {}
    assert sum(result["outcomes"].values()) == TRADES
    assert result["outcomes"].get("JOURNALED", 0) > 0
    assert set(result["outcomes"]) <= {"STORED", "JOURNALED"}
    assert result["flushed"], result
    found = stored(migrated)
    assert len(found) == TRADES
    assert set(found.values()) == {1}
    account = account_of_records(migrated)
    assert account["seq"] == result["last_seq"] == account["stored"] + account["duplicates"]
    assert account["dead_lettered"] == 0


@pytest.mark.slow
def test_a_frozen_server_keeps_no_call_longer_than_its_deadline(migrated, logger) -> None:
    """Frozen for some calls and thawed for others, again and again, over at least 10,000 calls."""
    turns, per_turn = 10, max(1, TRADES // 20)
    one = logger("log_while_frozen", str(per_turn))
    one.expect("ready")
    for _ in range(turns):
        with frozen(migrated):
            one.say("go")
            one.expect("done")
        one.say("go")
        one.expect("done")
    one.say("end")
    result, _log = one.end()
    assert result["errors"] == {}
    assert result["calls"] == 2 * turns * per_turn
    assert result["flushed"], result
    assert result["p999"] <= DEADLINE, f"overshoots: {result['slowest']}"
    assert result["slowest"][-1] <= DEADLINE + NOISE, f"overshoots: {result['slowest']}"
    found = stored(migrated)
    assert len(found) == result["calls"]
    assert set(found.values()) == {1}


def test_killed_while_logging_the_next_process_drains_what_it_left(migrated, logger) -> None:
    one = logger("log_in_turns", "10000", "journal")
    one.expect("ready")
    migrated.stop()
    said = one.ask("trades 300")
    assert said["outcomes"] == {"JOURNALED": 300}
    one.process.kill()
    one.process.wait()
    migrated.start()
    result, _log = logger("log_some", "1").end()
    assert result["errors"] == {}
    replay(migrated)  # whatever the second process's last moments left
    found = stored(migrated)
    assert len(found) == 301
    assert set(found.values()) == {1}
