"""Facts whose parent is not stored yet: waited for, but not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable

from friren.persistence import settings
from friren.persistence.handlers import MissingRowError

__all__ = ["ParentWaits"]


class ParentWaits:
    """
    How long which missing rows have been waited for.

    A row that did not come in time is given up once, and whoever else refers to it is not waited for again.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[tuple[str, str], float] = {}

    def worth_waiting(self, missing: MissingRowError) -> bool:
        """Return whether the row may still come."""
        key = (missing.field, str(missing.value))
        if key not in self._since and len(self._since) >= settings.PARENT_WAIT_FACTS_MAX:
            return False
        since = self._since.setdefault(key, self._clock())
        return self._clock() - since < settings.PARENT_WAIT_SECONDS

    def clear(self) -> None:
        """Forget the rows that came after all."""
        now = self._clock()
        self._since = {key: since for key, since in self._since.items() if now - since >= settings.PARENT_WAIT_SECONDS}
