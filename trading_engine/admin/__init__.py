"""The trading floor's tables in the admin."""

from trading_engine.admin import analysis, instruments, learning, predictions, snapshots, trading

__all__ = ["analysis", "instruments", "learning", "predictions", "snapshots", "trading"]
