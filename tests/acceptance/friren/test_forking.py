"""A forked child of a process with open connections, with the pool and without."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.postgres import ROOT
from tests.servers import command_environment

CODE = """
import os, stat, time, friren; friren.setup()
from django.db import connection, transaction

def backend():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]

def in_child(work):
    reader, writer = os.pipe()
    if (pid := os.fork()) == 0:
        os.write(writer, str(work()).encode())
        connection.close()
        os._exit(0)
    os.close(writer)
    _, status = os.waitpid(pid, 0)
    assert status == 0, status
    return int(os.read(reader, 100))

def sockets():
    return {os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if is_socket(int(name))}

def is_socket(handle):
    try:
        return stat.S_ISSOCK(os.fstat(handle).st_mode)
    except OSError:
        return False  # that of the folder itself

def settle():
    # A pool opens one more beside the first.
    while connection.pool and (stats := connection.pool.get_stats())["pool_size"] > stats["pool_available"] + 1:
        time.sleep(0.01)

mine = backend()
settle()
assert sockets(), "nothing to inherit"
assert in_child(lambda: len(sockets())) == 0, "the child keeps its parent's sessions open"
assert in_child(backend) != mine, "the child used its parent's connection"
assert backend() == mine, "the parent lost its connection"
with transaction.atomic():
    first = backend()
    assert in_child(lambda: connection.in_atomic_block or backend()) not in (True, first)
    assert backend() == first
print("apart")
"""


@pytest.mark.parametrize("pool", ["true", "false"])
def test_a_forked_child_opens_its_own_connections(server, pool) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE],
        env=command_environment(server.home, **server.environment(DB_POOL_ENABLED=pool, DB_CONN_MAX_AGE="60")),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stdout) == (0, "apart\n"), done.stderr
    assert "Exception ignored" not in done.stderr
