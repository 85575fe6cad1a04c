"""The embedded server archives its WAL when it is asked to, tells when it cannot, and goes back in place."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from friren import embedded
from friren.embedded import swapping
from friren.operations.health.wal import check_wal
from tests.archived import archiving_server, connected
from tests.killed import ALL_KILLS
from tests.postgres import binaries
from tests.servers import python
from tests.stock import lay


def test_health_tells_of_an_archiver_that_fails_and_of_one_that_waits(database) -> None:
    with archiving_server() as archiving, connected(archiving), archiving.server.connect() as session:
        archiving.archived()
        until(lambda: check_wal().ok)  # the archiver counts a segment a moment after it has kept it

        session.execute("ALTER SYSTEM SET archive_command = 'exit 1'")
        session.execute("SELECT pg_reload_conf()")
        session.execute("SELECT pg_create_restore_point('more'), pg_switch_wal()")
        until(lambda: session.execute("SELECT failed_count > 0 FROM pg_stat_archiver").fetchone() == (True,))

        finding = check_wal()
        assert not finding.ok
        assert "could not be archived" in finding.message
        assert finding.details["behind_bytes"] >= 16 * 1024 * 1024

        session.execute("ALTER SYSTEM RESET archive_command")
        session.execute("ALTER SYSTEM SET archive_timeout = 0")
        session.execute("SELECT pg_reload_conf()")
        until(lambda: "archive_timeout is 0 s" in check_wal().message)
        archiving.archived()
        assert "could not be archived" not in check_wal().message


def until(is_so) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_server_that_was_asked_to_archive_and_does_not_is_red(database, settings) -> None:
    assert check_wal().ok
    assert "is not archived" in check_wal().message

    settings.FRIREN_WAL_ARCHIVE = True

    assert not check_wal().ok
    assert "restart it" in check_wal().message


def test_the_lines_of_the_page_go_back_to_a_moment(home, django_db_setup) -> None:
    """By the commands alone, as an operator does it, on the embedded server."""
    location = embedded.locate(home, binaries=binaries())
    assert lay(location, "migrated") or True  # from the stock where there is one, so that nothing has to be migrated
    environment = {"FRIREN_WAL_ARCHIVE": "true", "BACKUP_WAL_SECONDS": "1", "LOG_LEVEL": "error"}
    environment["BACKUP_EXTERNAL_DIR"] = str(home / "another disk")
    environment |= {"FRIREN_TEST_ALL_KILLS": "yes"} if ALL_KILLS else {}
    process = python("from tests.acceptance.friren.page_of_moments import run; run()", home=home, **environment)
    stdout, stderr = process.communicate(timeout=600)
    assert process.returncode == 0, stdout + stderr
    running = embedded.adopt(location)
    assert running is not None
    with psycopg.connect(host=running.host, user="friren", dbname="friren") as session:
        # All that was archived: what was written last too, for the server was stopped in good order.
        assert session.execute("SELECT count(*) FROM named").fetchone() == (4 if ALL_KILLS else 2,)
    assert len(list(location.root.glob("data.before-*"))) == 1


@pytest.mark.parametrize("step", [1, 2])
def test_an_exchange_of_data_that_was_cut_off_is_finished_by_the_next_start(server, step, monkeypatch) -> None:
    """Between its two renames there are no data, and a start would make new ones."""
    server.stop()
    location = server.location
    prepared, aside = location.root / "prepared", location.root / "data.before"
    subprocess.run(["cp", "-a", "--", str(location.data), str(prepared)], check=True)
    (prepared / "mark").touch()
    renames = 0

    class CutOffError(Exception):
        pass

    really = Path.rename

    def rename(path, target):
        nonlocal renames
        renames += 1
        if renames == step:
            raise CutOffError
        return really(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(CutOffError):
        swapping.swap(location, prepared, aside=aside)
    monkeypatch.undo()

    embedded.start(location, server_settings=server.settings)

    assert (location.data / "mark").exists()
    assert aside.exists()
    assert not (aside / "mark").exists()
    assert not (location.root / "swap.json").exists()
