"""System checks of the configuration: what would be unsafe in production stops a command before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

from friren.database_config import hosts, is_loopback

__all__ = ["check_transport", "register"]


def register() -> None:
    """Register the checks of this module."""
    checks.register(checks.Tags.security)(check_transport)


def check_transport(*, app_configs: Sequence[AppConfig] | None, **_: Any) -> list[checks.CheckMessage]:
    """Demand a verified server for every database that is not on this machine, unless DEBUG is on."""
    del app_configs
    if settings.DEBUG:
        return []
    return [
        checks.Error(
            f"The database {alias!r} at {host} is reached with sslmode={mode or 'prefer'}: "
            "without a verified certificate anyone between can read and change the books.",
            hint="Set DB_SSLMODE=verify-full and DB_SSLROOTCERT to the server's authority (or `system`).",
            id="friren.E001",
        )
        for alias, config in settings.DATABASES.items()
        for host in hosts(config)
        if not is_loopback(host) and (mode := config.get("OPTIONS", {}).get("sslmode")) != "verify-full"
    ]
