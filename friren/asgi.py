"""The ASGI entry point: `uvicorn friren.asgi:application`."""

from __future__ import annotations

from django.core.asgi import get_asgi_application

import friren

__all__ = ["application"]

friren.setup()
application = get_asgi_application()
