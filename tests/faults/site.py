"""
A site that logs, for gunicorn to load before it forks: friren.wsgi, and a page for each call of the laboratory.

When it is loaded it logs already: its connections are open, its journal is begun and its drainer runs when it forks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from friren.wsgi import application as friren_application
from portfolio_manager.data_logger import PortfolioTracker
from tests.faults.script import ACCOUNT, PAGE, VENUE, details_of, step_of
from trading_engine.services import TradeLogger

__all__ = ["application"]

_trades = [TradeLogger(account=ACCOUNT, mode=mode) for mode in ("direct", "journal")]
_books = PortfolioTracker(account=ACCOUNT)


def _log(key: str) -> str:
    """Make one call of the script, a plain trade or one that is booked at once; return its outcome."""
    told = {"trade_id": key, "venue": VENUE, **details_of(key)}
    if step_of(key) == "booked":
        return _books.record_trade(**told).outcome.value
    return _trades[len(key) % 2].log_trade(**told).outcome.value


for _key in os.environ["LABORATORY_KEYS"].split():
    _log(_key)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a call with its outcome, and anything else as Friren's own site does."""
    path = environ["PATH_INFO"]
    if not path.startswith(PAGE):
        return friren_application(environ, start_response)
    answer = _log(path.removeprefix(PAGE)).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]
