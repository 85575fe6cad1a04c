"""The WSGI entry point: `gunicorn friren.wsgi`."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

import friren
from friren.home import read_env_file
from friren.logging_config import configure_logging

__all__ = ["application"]

read_env_file()
configure_logging(os.environ)
friren.setup()
application = get_wsgi_application()
