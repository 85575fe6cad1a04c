"""Django imports a database backend as `<ENGINE>.base`."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import OperationalError
from django.db.backends.postgresql import base

from friren.embedded.archiving import start_own
from friren.embedded.location import locate
from friren.embedded.server import adopt, ensure_started

__all__ = ["DatabaseWrapper"]


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to the embedded server."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return a connection, from the pool if there is one; the server is started first if it does not run."""
        location = locate(settings.FRIREN_HOME, binaries=settings.FRIREN_EMBEDDED_BIN)
        if settings.FRIREN_EMBEDDED_AUTOSTART:
            ensure_started(location, start_own)
        elif adopt(location) is None:
            # At once, and before the pool begins to try again and again.
            raise OperationalError("the embedded database does not run: `manage.py embedded start` starts it")
        return super().get_new_connection(conn_params)
