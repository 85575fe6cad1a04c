"""
PostgreSQL from a wheel, run by Friren itself: no installation, no service, no network port.

    location = locate(home)
    start(location)          # about half a second in an empty folder, nothing if it runs already
    status(location)
    stop(location)           # the only thing that stops it: it outlives the process that started it
"""

from __future__ import annotations

from friren.embedded.location import Location, locate
from friren.embedded.server import Running, Status, adopt, ensure_started, replace_data, settle, start, status, stop

__all__ = [
    "Location",
    "Running",
    "Status",
    "adopt",
    "ensure_started",
    "locate",
    "replace_data",
    "settle",
    "start",
    "status",
    "stop",
]
