"""What lies in deploy/ calls what exists: every command of a unit, a task or an image, with options that it has."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml
from django.core.management import get_commands, load_command_class

from friren.operations.jobs.settings import GRACE_SECONDS

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "linux").glob("*.service"))
TIMERS = sorted((DEPLOY / "linux").glob("*.timer"))
TASKS = sorted((DEPLOY / "windows").glob("*.xml"))
NAMESPACE = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
HARDENED = {
    "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
    "PrivateDevices": "yes", "ProtectKernelTunables": "yes", "RestrictNamespaces": "yes", "CapabilityBoundingSet": "",
    "User": "friren", "ReadWritePaths": "/var/lib/friren", "UMask": "0077",
}  # fmt: skip


def by_name(path: Path) -> str:
    return path.name


def settings(unit: Path) -> Iterator[tuple[str, str, str]]:
    section = ""
    for line in unit.read_text().splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = match[1]
        elif line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            assert equals, line
            yield section, name, value


def assert_exists(command: list[str]) -> None:
    """Fail unless this is a command of ours, with options that it has."""
    name, *arguments = command
    assert load_command_class(get_commands()[name], name).create_parser("manage.py", name).parse_args(arguments)


def seconds(text: str) -> float:
    value, unit = re.fullmatch(r"(\d+)(s|m|min)?", text).groups()
    return int(value) * (60 if unit in {"m", "min"} else 1)


@pytest.mark.parametrize("unit", UNITS, ids=by_name)
class TestUnits:
    def test_call_commands_that_exist(self, unit) -> None:
        commands = [shlex.split(value) for _, name, value in settings(unit) if name.startswith("Exec")]

        assert commands
        for program, *arguments in commands:
            if program == "/opt/friren/.venv/bin/friren":
                assert_exists(arguments)
            elif program == "/opt/friren/.venv/bin/gunicorn":
                assert arguments == ["--config", "/etc/friren/gunicorn.conf.py", "friren.wsgi:application"]
            else:
                assert [program, *arguments] == ["/bin/kill", "-HUP", "$MAINPID"]

    def test_are_hardened_and_hold_no_secret(self, unit) -> None:
        told = {name: value for section, name, value in settings(unit) if section == "Service"}

        assert HARDENED.items() <= told.items()
        assert not re.search(r"PASSWORD|SECRET_KEY=.|EnvironmentFile", unit.read_text())

    def test_give_a_worker_the_time_that_it_takes(self, unit) -> None:
        told = {name: value for _, name, value in settings(unit)}
        if " worker" in told["ExecStart"]:
            assert told["KillMode"] == "mixed"
            assert seconds(told["TimeoutStopSec"]) > GRACE_SECONDS + 15


@pytest.mark.parametrize("timer", TIMERS, ids=by_name)
def test_timers_have_their_service(timer) -> None:
    told = {name: value for _, name, value in settings(timer)}

    assert timer.with_suffix(".service") in UNITS
    assert told["WantedBy"] == "timers.target"
    assert told["OnCalendar"]


def test_the_daily_backup_is_at_two_everywhere() -> None:
    assert "OnCalendar=*-*-* 02:00:00 UTC" in (DEPLOY / "linux" / "friren-backup.timer").read_text()
    assert "T02:00:00Z" in (DEPLOY / "windows" / "friren-backup.xml").read_text()
    assert (
        'default="0 2 * * *"), variable="SCHEDULE_BACKUP_DAILY"'
        in (ROOT / "friren" / "operations" / "jobs" / "schedules.py").read_text()
    )


@pytest.mark.parametrize("task", TASKS, ids=by_name)
def test_tasks_of_windows_call_commands_that_exist(task) -> None:
    root = ET.parse(task).getroot()
    assert root.tag == f"{NAMESPACE}Task"
    assert [child.tag.removeprefix(NAMESPACE) for child in root] == [
        "RegistrationInfo", "Triggers", "Principals", "Settings", "Actions",
    ]  # fmt: skip  # the schema wants them in this order
    execute = root.find(f"{NAMESPACE}Actions/{NAMESPACE}Exec")
    utf8, mode, manage, *command = execute.findtext(f"{NAMESPACE}Arguments").split()

    assert [utf8, mode, manage] == ["-X", "utf8", "manage.py"]
    assert_exists(command)
    assert execute.findtext(f"{NAMESPACE}Command") == r"C:\friren\.venv\Scripts\python.exe"
    assert "password" not in ET.tostring(root, encoding="unicode").lower()


@pytest.mark.parametrize("script", sorted((DEPLOY / "windows").glob("*.ps1")), ids=by_name)
def test_scripts_of_windows_only_call_manage_py(script) -> None:
    text = script.read_text()
    called = re.findall(r"& \$python (.*)", text)

    assert called
    for line in called:
        if match := re.match(r"manage\.py ([\w -]+)", line):
            assert_exists(match[1].split())
        else:
            assert line == "(Join-Path $checkout 'manage.py') @args"
    assert not re.search(r"psql|pg_dump|PGPASSWORD", text)


def test_the_tasks_that_can_be_installed_are_those_that_there_are() -> None:
    offered = re.search(r"ValidateSet\(([^)]*)\)", (DEPLOY / "windows" / "install.ps1").read_text())[1]

    assert set(re.findall(r"'(\w+)'", offered)) == {path.stem.removeprefix("friren-") for path in TASKS}


class TestContainer:
    def instructions(self) -> list[tuple[str, str]]:
        text = (DEPLOY / "container" / "Dockerfile").read_text().replace("\\\n", " ")
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        return [tuple(line.split(maxsplit=1)) for line in lines]

    def test_is_built_in_two_stages_and_runs_as_nobody_special(self) -> None:
        found = self.instructions()
        stages = [number for number, (name, _) in enumerate(found) if name == "FROM"]

        assert len(stages) == 2
        assert ("USER", "friren") in found[stages[1] :]
        assert not [value for name, value in found[stages[1] :] if name == "RUN" and "pip" in value]
        assert any("--constraint requirements.lock" in value for name, value in found if name == "RUN")

    def test_copies_what_is_there_and_what_the_context_has(self) -> None:
        shown = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
        for name, value in self.instructions():
            if name == "COPY" and not value.startswith("--from"):
                *sources, _target = value.split()
                assert set(sources) <= shown
                assert all((ROOT / source).exists() for source in sources)

    def test_starts_what_the_unit_starts_and_asks_live(self) -> None:
        told = dict(self.instructions())

        unit = (DEPLOY / "linux" / "friren-web.service").read_text()
        assert shlex.join(yaml.safe_load(told["CMD"])) in unit
        assert "/live/" in told["HEALTHCHECK"]

    def test_compose_starts_commands_that_exist_in_an_order_that_holds(self) -> None:
        told = yaml.safe_load((DEPLOY / "container" / "compose.yml").read_text())
        services = told["services"]
        assert set(services) == {"database", "migrate", "web", "worker"}
        for name in ("migrate", "worker"):
            assert services[name]["command"][0] == "friren"
            assert_exists(services[name]["command"][1:])
        assert_exists(services["worker"]["healthcheck"]["test"][2:])
        assert services["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
        for name in ("web", "worker"):
            assert services[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
            assert services[name]["cap_drop"] == ["ALL"]
            assert services[name]["read_only"] is True
        assert seconds(services["worker"]["stop_grace_period"]) > GRACE_SECONDS + 15

    def test_settings_of_compose_are_friren_s_and_hold_no_secret(self) -> None:
        example = (ROOT / ".env.example").read_text()
        told = yaml.safe_load((DEPLOY / "container" / "compose.yml").read_text())
        own = (DEPLOY / "container" / "example.env").read_text()

        for name, value in told["services"]["web"]["environment"].items():
            assert f"#{name}=" in example
            for asked in re.findall(r"\$\{(\w+)", value):
                assert re.search(rf"^{asked}=", own, re.MULTILINE)
        assert re.findall(r"^(?:POSTGRES_PASSWORD|SECRET_KEY)=(.*)$", own, re.MULTILINE) == ["", ""]


def test_the_settings_of_a_machine_are_documented() -> None:
    example = (ROOT / ".env.example").read_text()
    for name in re.findall(r"^#?([A-Z_]+)=", (DEPLOY / "linux" / "friren.env.example").read_text(), re.MULTILINE):
        assert f"#{name}=" in example


class TestInstall:
    """Into a folder of its own: users, databases and services are a machine's, and are not tried here."""

    SCRIPT = DEPLOY / "linux" / "install.sh"

    def run(self, *arguments: str) -> str:
        done = subprocess.run(["bash", str(self.SCRIPT), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def test_twice_changes_nothing_the_second_time(self, tmp_path) -> None:
        arguments = ("--root", str(tmp_path), "--venv", "/srv/friren")
        first = self.run(*arguments)
        settings = tmp_path / "etc" / "friren" / "friren.env"
        key = settings.read_text()

        assert first.count("changed: ") == len(UNITS) + len(TIMERS) + 6
        assert self.run(*arguments) == "nothing to change\n"
        assert settings.stat().st_mode & 0o777 == 0o600
        assert re.search(r"^SECRET_KEY=.{50,}$", key, re.MULTILINE)
        unit = (tmp_path / "etc" / "systemd" / "system" / "friren-web.service").read_text()
        assert "ExecStart=/srv/friren/bin/gunicorn" in unit

        settings.write_text(key + "DEBUG=false\n")
        (tmp_path / "etc" / "systemd" / "system" / "friren-web.service").write_text("edited")
        assert self.run(*arguments) == "changed: /etc/systemd/system/friren-web.service\n"
        assert settings.read_text() == key + "DEBUG=false\n"

    def test_a_dry_run_changes_nothing_at_all(self, tmp_path) -> None:
        told = self.run("--root", str(tmp_path), "--dry-run")

        assert "would change: /opt/friren/.venv" in told
        assert list(tmp_path.iterdir()) == []

    def test_says_what_it_can_do(self) -> None:
        assert "--dry-run" in self.run("--help")
        done = subprocess.run(["bash", str(self.SCRIPT), "--nonsense"], capture_output=True, text=True, check=False)
        assert done.returncode == 2
