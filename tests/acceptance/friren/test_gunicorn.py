"""The web service as its unit starts it."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.postgres import ROOT

pytestmark = pytest.mark.usefixtures("database")
LINUX = ROOT / "deploy" / "linux"
SECONDS_MAX = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def command_of_the_unit() -> list[str]:
    """What systemd would start, with the programs and the configuration of this checkout."""
    (line,) = [one for one in (LINUX / "friren-web.service").read_text().splitlines() if one.startswith("ExecStart=")]
    told = shlex.split(line.removeprefix("ExecStart="))
    places = {
        "/opt/friren/.venv/bin/gunicorn": str(Path(sys.executable).parent / "gunicorn"),
        "/etc/friren/gunicorn.conf.py": str(LINUX / "gunicorn.conf.py"),
    }
    return [places.get(word, word) for word in told]


def get(url: str) -> tuple[int, str]:
    until = time.monotonic() + SECONDS_MAX
    while True:
        try:
            with urllib.request.urlopen(url, timeout=SECONDS_MAX) as answer:
                return answer.status, answer.read().decode()
        except (urllib.error.URLError, ConnectionError) as exc:
            if isinstance(exc, urllib.error.HTTPError) or time.monotonic() > until:
                raise
            time.sleep(0.1)


def workers_of(pid: int) -> list[str]:
    """Return the ids of the two workers, once both are there; of fewer if they do not come."""
    until = time.monotonic() + SECONDS_MAX
    while True:
        workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if len(workers) == 2 or time.monotonic() > until:
            return workers
        time.sleep(0.02)


def test_serves_from_forked_workers_and_ends_when_it_is_told_to(tmp_path) -> None:
    port = free_port()
    environment = os.environ | {
        "GUNICORN_CMD_ARGS": f"--bind=127.0.0.1:{port}", "FRIREN_HOME": str(tmp_path), "DB_POOL_ENABLED": "true",
    }  # fmt: skip
    with (tmp_path / "log").open("w+") as log:
        site = subprocess.Popen(command_of_the_unit(), cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            assert get(f"http://127.0.0.1:{port}/live/") == (200, '{"status": "ok"}')
            workers = workers_of(site.pid)
            status, page = get(f"http://127.0.0.1:{port}/admin/")
            assert (status, "id_password" in page) == (200, True)
            assert get(f"http://127.0.0.1:{port}/db/health")[0] == 200
            assert get(f"http://127.0.0.1:{port}/static/admin/css/base.css")[0] == 200
            site.terminate()
            assert site.wait(SECONDS_MAX) == 0
        finally:
            site.kill()
            site.wait()
    assert len(workers) == 2, (tmp_path / "log").read_text()
