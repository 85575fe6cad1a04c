"""
gunicorn for Friren: `gunicorn --config gunicorn.conf.py friren.wsgi:application`.

What differs from place to place is gunicorn's own to be told: WEB_CONCURRENCY is the number of workers, and what
GUNICORN_CMD_ARGS says wins over this file, such as GUNICORN_CMD_ARGS="--bind=0.0.0.0:8000".
"""

from __future__ import annotations

import os
from pathlib import Path

# This machine only: nginx stands before it, and nothing else may claim to have come by HTTPS.
bind = "127.0.0.1:8000"

# Loaded once and forked: a worker begins in milliseconds and shares what it does not change. Safe, because a child
# of a fork begins without its parent's connections and as a producer of its own.
preload_app = True
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
worker_class = "gthread"
threads = 4

# A page that takes longer is not waited for; statements of pages are given up after 5 s by themselves.
timeout = 30
graceful_timeout = 30
# Longer than nginx keeps its connections, so that it is never nginx that finds one closed.
keepalive = 75
# What a worker may have leaked is gone after some hours; not all of them at once.
max_requests = 10_000
max_requests_jitter = 1_000
# The heartbeats of workers are files: on a disk they would wait for it.
_memory = Path("/dev/shm")
worker_tmp_dir = str(_memory) if _memory.is_dir() else None

# stdout and stderr belong to the journal of systemd or the container; nginx has the log of requests.
accesslog = None
errorlog = "-"
loglevel = "info"
proc_name = "friren-web"
# Nobody has to steer a running gunicorn but systemd.
control_socket_disable = True
