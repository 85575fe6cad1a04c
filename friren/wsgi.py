"""The WSGI entry point: `gunicorn friren.wsgi`."""

from __future__ import annotations

from django.core.wsgi import get_wsgi_application

import friren

__all__ = ["application"]

friren.setup()
application = get_wsgi_application()
