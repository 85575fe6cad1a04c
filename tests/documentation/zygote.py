"""
Commands without what each of them would import anew: a process that has done so forks one that goes on.

What it has imported is other people's, and nothing that reads settings: a command sees its own environment, as always.
`python -m tests.documentation.zygote SOCKET` serves; `client(SOCKET)` is the text of a small program that asks it.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import Final

__all__ = ["client"]

# What nearly every command imports. One that wants settings is left to the commands themselves.
_SHARED: Final = (
    "cryptography.hazmat.primitives.asymmetric.ed25519", "django.conf.urls", "django.contrib.admin.sites",
    "django.contrib.auth.hashers", "django.contrib.postgres.fields", "django.contrib.postgres.indexes",
    "django.core.checks", "django.core.management", "django.core.management.base", "django.db.backends.postgresql.base",
    "django.db.migrations.executor", "django.db.models", "django.http", "django.template.loader",
    "django.utils.timezone",
    "django.views", "django_rich.management", "environ", "http.cookies", "logging.config", "msgspec", "platformdirs",
    "psycopg", "psycopg.types.json", "psycopg_pool", "pyrage", "rich.console", "rich.progress", "rich.table",
    "sqlparse", "structlog", "uuid_utils.compat",
)  # fmt: skip
_CLIENT: Final = """\
import json, os, socket, sys
asked = socket.socket(socket.AF_UNIX)
asked.connect({path!r})
told = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(asked, [len(told).to_bytes(8, "big")], [0, 1, 2])
asked.sendall(told)
code = asked.recv(1)
os._exit(code[0] if code else 70)
"""


def client(path: Path) -> str:
    """Return a program that has a script run by who serves at `path`, with its own arguments, environment and files."""
    return _CLIENT.format(path=str(path))


def _serve(path: str) -> None:
    for name in _SHARED:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait for a command
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            asked, _ = listening.accept()
            with asked:
                if os.fork() == 0:
                    listening.close()
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    _answer(asked)


def _answer(asked: socket.socket) -> None:
    size, files, _, _ = socket.recv_fds(asked, 8, 3)
    told = b""
    while len(told) < int.from_bytes(size, "big"):
        told += asked.recv(65_536)
    if (worker := os.fork()) == 0:
        asked.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        _run(*json.loads(told))
    for file in files:
        os.close(file)
    _, status = os.waitpid(worker, 0)
    code = os.waitstatus_to_exitcode(status)
    asked.sendall(bytes([code if code >= 0 else 128 - code]))
    os._exit(0)


def _run(arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = arguments
    # As the interpreter has it for a script.
    sys.path[0] = str(Path(arguments[0]).resolve().parent)
    try:
        runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
        if isinstance(exc.code, str):
            sys.stderr.write(f"{exc.code}\n")
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        code = 1
    else:
        code = 0
    _end(code)


def _end(code: int) -> None:
    """What an interpreter does that ends, in a process that was forked."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # its reader may be gone
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1])
