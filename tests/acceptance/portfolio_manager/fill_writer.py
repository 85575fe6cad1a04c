"""
One of several processes that trade into one account: `fill_writer.py NAME NUMBER FILLS METHOD LATE`.

It says that it is ready, is told the moment that all begin at, and says its outcomes.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import sys
import time
from decimal import Decimal

import django

BEGIN = dt.datetime(2026, 1, 5, 14, 30, tzinfo=dt.UTC)
# Fills arrive this much out of order, and a share of them (LATE) much later than what followed them.
JITTER_SECONDS = 0.2
LATE_SECONDS = 8


def main(name: str, number: int, fills: int, method: str, *, late_share: float) -> None:
    django.setup()
    from friren.errors import PeriodClosedError
    from portfolio_manager.data_logger import PortfolioTracker
    from trading_engine.services import TradeLogger

    rng = random.Random(number)
    tracker, logger = PortfolioTracker(name), TradeLogger(name)
    outcomes: dict[str, int] = {}
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    start = float(sys.stdin.readline())
    time.sleep(max(0.0, start - time.time()))
    for step in range(fills):
        own = f"OWN{number}" if step % 2 else "SHARED"
        late = rng.uniform(0, LATE_SECONDS) if rng.random() < late_share else rng.uniform(0, JITTER_SECONDS)
        fill = {
            "symbol": own,
            "action": rng.choice(["buy", "sell"]),
            "quantity": Decimal(rng.randint(1, 500)) / 10,
            "price": Decimal(rng.randint(9000, 11000)) / 100,
            "timestamp": BEGIN + dt.timedelta(seconds=time.time() - start - late),
            "commission": Decimal("0.35"),
        }
        try:
            if method == "record":
                outcome = tracker.record_trade(**fill).outcome
            else:
                outcome = tracker.update_position(logger.log_trade(**fill)).outcome
        except PeriodClosedError:
            outcome = "CLOSED"
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    sys.stdout.write(json.dumps(outcomes))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], late_share=float(sys.argv[5]))
