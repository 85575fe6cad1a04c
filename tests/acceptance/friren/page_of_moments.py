"""The shell lines of docs/how-to/point-in-time-recovery.md in one process, which has an embedded server of its own."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import time
from pathlib import Path

import psycopg

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "point-in-time-recovery.md"


def lines() -> list[str]:
    """In their order, without comments."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [line.partition("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def run() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "friren.settings"
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import CommandError, call_command

    from friren import embedded

    home, moment = Path(settings.FRIREN_HOME), ""
    location = embedded.locate(home, binaries=settings.FRIREN_EMBEDDED_BIN)
    fresh = home / "fresh"
    for line in lines():
        _manage, *words = shlex.split(line)
        if words[0] == "restore" and not moment:
            moment = wrote_and_named(location)
        words = [{"NEW_FOLDER": str(fresh), "BACKUP": newest(home)}.get(word, word) for word in words]
        if "--to-time" in words:
            words[words.index("--to-time") + 1] = moment
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            call_command(*words)
        except CommandError as exc:
            if "--incremental" not in words or "needs PostgreSQL 17" not in str(exc):
                raise
        assert ("--into" in words) is (fresh / "PG_VERSION").exists(), line
    if os.environ.get("FRIREN_TEST_ALL_KILLS"):
        go_back_again(location, fresh)


def go_back_again(location, fresh: Path) -> None:
    """Along the timeline that the restore began, and along the one that it left."""
    from django.core.management import call_command

    wrote_and_named(location)
    for words, rows in ((["--to-latest"], 4), (["--to-name", "before the migration", "--timeline", "1"], 1)):
        call_command("restore", *words, "--into", str(fresh), "--json", stdout=(stdout := io.StringIO()))
        report = json.loads(stdout.getvalue())
        assert report["tables"]["public.named"]["rows"] == rows, report
        assert report["timeline"] > 2, report
        shutil.rmtree(fresh)


def newest(home: Path) -> str:
    found = [
        folder.name for folder in (home / "backups").glob("2*") if "-base-" in folder.name or "-incr" in folder.name
    ]
    return max(found, default="")


def wrote_and_named(location) -> str:
    """Write, name the moment, write again and wait until it is archived; return a time in between."""
    from friren import embedded

    running = embedded.adopt(location)
    with psycopg.connect(host=running.host, user="friren", dbname="friren", autocommit=True) as session:
        session.execute("CREATE TABLE IF NOT EXISTS named (id int)")
        session.execute("INSERT INTO named VALUES (1)")
        session.execute("SELECT pg_create_restore_point('before the migration')")
        (moment,) = session.execute("SELECT clock_timestamp()").fetchone()
        time.sleep(0.01)
        session.execute("INSERT INTO named VALUES (2)")
        (name,) = session.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
        deadline = time.monotonic() + 60
        while session.execute("SELECT last_archived_wal >= %s FROM pg_stat_archiver", [name]).fetchone() != (True,):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    return moment.isoformat()
