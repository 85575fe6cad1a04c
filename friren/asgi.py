"""The ASGI entry point: `uvicorn friren.asgi:application`."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

import friren
from friren.home import read_env_file
from friren.logging_config import configure_logging

__all__ = ["application"]

read_env_file()
configure_logging(os.environ)
friren.setup()
application = get_asgi_application()
