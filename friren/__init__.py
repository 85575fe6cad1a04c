"""
Friren: the system of record for algorithmic trading.

    import friren
    friren.setup()
    book = friren.open_account("momentum", environment="PAPER", starting_cash=Decimal("100000"))
"""

from __future__ import annotations

from typing import Any

__all__ = ["__version__", "open_account", "setup"]

__version__ = "0.1.0"


def setup() -> None:
    """
    Make this process ready to log: Django loaded, the embedded database started and migrated.

    A server is checked and never migrated (`manage.py migrate` or `setup_database` does that, on purpose).
    Safe to call any number of times; only the first one does work.

    Raises:
        ConfigurationError: a setting is wrong, or the embedded database cannot be started.
    """
    from friren.startup import setup as _setup

    _setup()


def __getattr__(name: str) -> Any:
    if name == "open_account":
        from friren.accounts import open_account

        return open_account
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
