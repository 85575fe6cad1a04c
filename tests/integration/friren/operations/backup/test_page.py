"""Every line of docs/how-to/backup-and-recovery.md does what the page says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections

from friren import embedded
from friren.operations import health
from friren.operations.backup.programs import connect, find_programs, server_of
from friren.operations.backup.shelf import Shelf
from friren.operations.models import BackupRecord
from tests import postgres as harness
from trading_engine.models import Trade

PAGE = Path(harness.ROOT) / "docs" / "how-to" / "backup-and-recovery.md"


def lines() -> list[str]:
    """The lines of its shell blocks, in their order, without comments."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [line.partition("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def left_by_a_killed_drill() -> embedded.Location:
    """A scratch server that still runs."""
    location = embedded.locate(Path(settings.FRIREN_HOME) / "scratch", binaries=harness.binaries())
    embedded.start(location)
    return location


def test_the_lines_of_the_page_prove_and_restore_a_backup(shelf_folder, trades, key, guarded, empty_database) -> None:
    connection.settings_dict["NAME"] = f"test_{harness.WORKER}"
    left = left_by_a_killed_drill()
    ran = [line for line in lines() if line.startswith("manage.py")]
    for line in ran:
        name, *arguments = shlex.split(line)[1:]
        if name == "restore":
            (record,) = BackupRecord.objects.all()
            assert health.examine(["backups"]).ok
            connections.close_all()
            connection.settings_dict["NAME"] = empty_database
        call_command(name, *arguments)  # a failure is an exception, or an exit

    assert {name.split()[1] for name in ran} >= {"backup", "backups", "verify_backup", "prune_backups", "restore"}
    (stored,) = Shelf(shelf_folder).stored()
    assert stored.verification is not None
    assert stored.verification.rows > 3
    assert any(what.startswith("roles") for what in stored.verification.skipped)
    assert record.status == "VERIFIED"
    assert record.verified_at is not None
    assert "equal in" in record.message
    assert not left.root.exists()
    assert connection.settings_dict["NAME"] == empty_database
    assert Trade.objects.count() == 3
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege('test_reader', 'guarded', 'SELECT')")
        assert cursor.fetchone() == (True,)


def test_the_lines_that_need_no_friren_restore_a_dump(shelf_folder, trades, empty_database) -> None:
    connection.settings_dict["NAME"] = f"test_{harness.WORKER}"
    call_command("backup")
    (stored,) = Shelf(shelf_folder).stored()
    with connect() as session:
        server = server_of(session)
    with harness.admin_connection() as admin:
        admin.execute(f"DROP DATABASE {empty_database}")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {
        "PATH": f"{find_programs(server.major).directory}{os.pathsep}{os.environ['PATH']}",
        "PGHOST": str(harness.location().socket_directory),
        "PGUSER": "friren",
    }
    ran = [line for line in lines() if not line.startswith(("manage.py", "age"))]
    for line in ran:
        done = subprocess.run(
            line.replace("trading_system", empty_database), shell=True, cwd=stored.folder, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}: {done.stderr}"

    assert [line.split()[0] for line in ran] == ["pg_restore", "createdb", "pg_restore"]
    connections.close_all()
    connection.settings_dict["NAME"] = empty_database
    assert Trade.objects.count() == 3


def test_age_reads_what_is_encrypted(shelf_folder, trades, key, tmp_path) -> None:
    """With the program of Debian's package; where it is not installed, the format is pyrage's word."""
    call_command("backup", "--encrypt")
    (stored,) = Shelf(shelf_folder).stored()
    line = next(line for line in lines() if line.startswith("age -d"))
    if shutil.which("age") is None:
        assert (stored.folder / "friren.dump.age").read_bytes().startswith(b"age-encryption.org/v1\n")
        return
    shutil.copy(tmp_path / "backup.key", stored.folder / "backup.key")
    subprocess.run(line, shell=True, cwd=stored.folder, check=True)
    assert (stored.folder / "friren.dump").read_bytes().startswith(b"PGDMP")
