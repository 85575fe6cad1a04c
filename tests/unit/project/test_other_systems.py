"""What runs on Linux runs on Windows: no path that Windows takes calls what only POSIX has."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# Where files, locks, processes, signals and encodings are. What only reckons takes the same way everywhere, and
# `python -m tests.foreign tests/unit` tries that too.
SHELF = (
    "tests/unit/friren/core", "tests/unit/friren/operations", "tests/unit/friren/persistence/journal",
    "tests/unit/friren/persistence/test_buffer.py", "tests/unit/friren/test_database_config.py",
    "tests/unit/friren/test_home.py", "tests/unit/friren/test_logging_config.py",
)  # fmt: skip
# What is tried there is POSIX itself: a fork, the mode of a file.
POSIX_ITSELF = (
    "tests/unit/friren/operations/test_role_script.py::test_a_file_of_passwords_that_others_can_read_is_refused",
    "tests/unit/friren/persistence/journal/test_journal.py::test_a_forked_child_cannot_append_and_keeps_no_lock",
)
# Thousands of cuts and of schedules, which are the same ones everywhere.
LONG = (
    "tests/unit/friren/persistence/journal/test_cut_off.py", "tests/unit/friren/persistence/journal/test_damage.py",
    "tests/unit/friren/operations/backup/test_damage.py", "tests/unit/friren/operations/backup/test_retention.py",
)  # fmt: skip


# Imported where a module begins, by modules that nobody loads without the extra.
EXTRAS = ("boto3", "pyarrow")


def foreign(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"from tests import foreign; foreign.hide()\n{code}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_unit_shelf_passes_where_posix_is_hidden() -> None:
    deselected = [*(f"--deselect={name}" for name in POSIX_ITSELF), *(f"--ignore={name}" for name in LONG)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.foreign", "-q", "-n", "0", "-p", "no:cacheprovider", "--hypothesis-profile=few",
         "-k", "not bucket and not kill_9 and not loads_the_queue", *deselected, *SHELF],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "FRIREN_TEST_SCRATCH": ""},
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-6000:]
    assert int(re.findall(r"(\d+) passed", done.stdout)[-1]) > 200


def test_it_is_hidden_at_all() -> None:
    assert "ModuleNotFoundError" in foreign("exec('import fcntl', {'__name__': 'friren.x'})").stderr
    assert "no attribute 'fork'" in foreign("exec('import os; os.fork', {'__name__': 'friren.x'})").stderr
    assert foreign("exec('import sys; assert sys.platform == \"win32\"', {'__name__': 'friren.x'})").returncode == 0


def test_every_module_can_be_imported_there() -> None:
    absent = [] if os.environ.get("FRIREN_TEST_ALL") else [name for name in EXTRAS if find_spec(name) is None]
    code = (
        "import os, pkgutil, importlib, django\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'friren.settings'; django.setup()\n"
        "for name in ('friren', 'trading_engine', 'portfolio_manager'):\n"
        "    for found in pkgutil.walk_packages(importlib.import_module(name).__path__, name + '.'):\n"
        "        if 'asgi' not in found.name and 'wsgi' not in found.name and '__main__' not in found.name:\n"
        "            try:\n"
        "                importlib.import_module(found.name)\n"
        f"            except ModuleNotFoundError as exc:\n"
        f"                if exc.name not in {absent!r}:\n"
        "                    raise\n"
    )
    done = foreign(code)

    assert done.returncode == 0, done.stderr


def test_every_file_is_opened_with_its_encoding() -> None:
    """Windows' own is no UTF-8."""
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--preview", "--isolated", "--select", "PLW1514", "--no-cache",
         "friren", "trading_engine", "portfolio_manager"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
