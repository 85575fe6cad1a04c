"""A process killed in the middle of a call of two facts leaves both or neither."""

from __future__ import annotations

import random
import time

import pytest

from tests.acceptance.friren.persistence.outage_tools import account_of_records, logger, migrated, replay

__all__ = ["logger", "migrated"]

TURNS = 8


@pytest.mark.slow
def test_a_round_trip_has_both_its_fills_or_none(migrated, logger) -> None:
    chance = random.Random(20261120)
    migrated.stop()  # so that the loop does little but append
    for _turn in range(TURNS):
        bot = logger("log_round_trips")
        bot.expect("ready")
        time.sleep(chance.uniform(0.01, 0.1))
        bot.process.kill()
        bot.process.wait()
    migrated.start()
    done = replay(migrated)

    assert (done["dead_lettered"], done["remaining"]) == (0, 0)
    with migrated.connect() as connection:
        legs = connection.execute(
            "SELECT legs, count(*) FROM (SELECT count(*) AS legs FROM trading_engine_trade GROUP BY round_trip) AS t "
            "GROUP BY legs"
        ).fetchall()
    ((fills, trips),) = legs
    assert fills == 2
    account = account_of_records(migrated)
    # Beside the round trips: the opening deposit, told by every process, and the account, by the first.
    assert account["seq"] == trips + TURNS + 1 == account["stored"] + account["duplicates"]
