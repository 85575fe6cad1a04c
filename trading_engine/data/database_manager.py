"""One handle on the system of record: opens it, checks it, hands out the loggers, and closes them together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, cast

import structlog

import friren
from friren.persistence.event_loops import outside_event_loop

# Django's models can be imported only once it is set up, which is this handle's own work.
if TYPE_CHECKING:
    from friren.operations.health import Report
    from trading_engine.services import (
        BacktestRecorder,
        MarketRecorder,
        ModelTracker,
        PriceRecorder,
        RegimeLogger,
        SentimentLogger,
        SignalLogger,
        SnapshotLogger,
        TradeLogger,
    )
    from trading_engine.services.base import Service

__all__ = ["DatabaseManager"]

log = structlog.get_logger(__name__)

# What closing waits for records that are under way.
FLUSH_SECONDS: Final = 5.0


class DatabaseManager:
    """
    The loggers of one account behind one handle, made when they are first asked for.

        with DatabaseManager("momentum") as db:
            db.trades.log_trade(...)
            db.prices.record_bars(...)

    Safe to share between threads.

    Args:
        account: a handle of `friren.open_account`, or the name of books that were opened; None for `default`.
        mode: of the loggers, see `Service`.
        using: alias of the database.
    """

    def __init__(self, account: Any = None, *, mode: str = "direct", using: str = "default") -> None:
        self._account, self._mode, self._using = account, mode, using
        self._services: dict[str, Service] = {}
        self._lock = threading.RLock()
        self._closed = False

    def open(self) -> Self:
        """
        Make this process ready, see `friren.setup`. Done by the first use as well; safe to call twice.

        Raises:
            ConfigurationError: a setting is wrong, or the embedded database cannot be started.
            RuntimeError: the handle was closed.
        """
        if self._closed:
            raise RuntimeError("this DatabaseManager is closed; make a new one")
        friren.setup()
        return self

    def check(self) -> Report:
        """Return what `manage.py health` reports: connectivity, schema, and what each floor checks of its own."""
        self.open()
        from friren.operations import health

        with outside_event_loop():
            return health.examine()

    @property
    def trades(self) -> TradeLogger:
        """Orders and fills."""
        return cast("TradeLogger", self._logger("TradeLogger", self._account))

    @property
    def signals(self) -> SignalLogger:
        """Advice that strategies give."""
        return cast("SignalLogger", self._logger("SignalLogger", self._account))

    @property
    def regimes(self) -> RegimeLogger:
        """Market regimes: of this account, or of the whole market without one."""
        return cast("RegimeLogger", self._logger("RegimeLogger", self._account))

    @property
    def sentiments(self) -> SentimentLogger:
        """What models read out of the news; it belongs to no account."""
        return cast("SentimentLogger", self._logger("SentimentLogger"))

    @property
    def snapshots(self) -> SnapshotLogger:
        """What the system saw before it decided; the market's part of it belongs to no account."""
        return cast("SnapshotLogger", self._logger("SnapshotLogger"))

    @property
    def models(self) -> ModelTracker:
        """What models foretold, and how they did; no account's either."""
        return cast("ModelTracker", self._logger("ModelTracker"))

    @property
    def markets(self) -> MarketRecorder:
        """Events, markets and market snapshots of prediction venues; no account's."""
        return cast("MarketRecorder", self._logger("MarketRecorder"))

    @property
    def prices(self) -> PriceRecorder:
        """Bars; they belong to no account."""
        return cast("PriceRecorder", self._logger("PriceRecorder"))

    @property
    def backtests(self) -> BacktestRecorder:
        """Backtest runs and their results."""
        return cast("BacktestRecorder", self._logger("BacktestRecorder"))

    @contextmanager
    def db_session(self) -> Iterator[Any]:
        """
        Run ORM work in one transaction: committed at the end, rolled back, logged and raised on any error.

        Not for the loggers, which commit by themselves and refuse to run inside.
        """
        self.open()
        from django.db import connections, transaction

        connection = connections[self._using]
        try:
            with transaction.atomic(using=self._using):
                yield connection
        except Exception:
            log.exception("rolled back", database=self._using)
            raise
        finally:
            # Given back at once: a thread that ends without doing so would keep a place of the pool.
            if not connection.in_atomic_block:
                connection.close()

    def flush(self, timeout: float = FLUSH_SECONDS) -> bool:
        """Return whether everything recorded through this handle is stored within `timeout` seconds altogether."""
        deadline = time.monotonic() + timeout
        with self._lock:
            services = list(self._services.values())
        # All of them, also after one that was too slow: the others may be done already.
        done = [service.flush(max(0.0, deadline - time.monotonic())) for service in services]
        return all(done)

    def close(self) -> None:
        """Flush and close the loggers and give this thread's connection back. Safe to call twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if not self._services:
                return
            if not self.flush():
                log.warning("closed before everything was stored", seconds=FLUSH_SECONDS)
            for service in self._services.values():
                service.close()
        from django.db import connections

        connection = connections[self._using]
        if not connection.in_atomic_block:
            connection.close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _logger(self, name: str, *account: Any) -> Any:
        def make() -> Service:
            from trading_engine import services

            made: Service = getattr(services, name)(*account, mode=self._mode, using=self._using)
            return made

        return self._service(name, make)

    def _service(self, name: str, make: Callable[[], Service]) -> Service:
        """Return the service `name`, made once. Handles of upper floors add theirs through this."""
        with self._lock:
            self.open()
            if name not in self._services:
                self._services[name] = make()
            return self._services[name]
