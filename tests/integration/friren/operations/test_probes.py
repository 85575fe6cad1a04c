"""`/health/`, `/live/`, `/db/health`, `/trading/status`: what anyone is told, what staff is, and that of an outage."""

from __future__ import annotations

import time

import pytest
from django.db import connection, connections
from django.test import Client

from friren.core.models import User
from friren.operations import health
from friren.operations.health import registry

pytestmark = pytest.mark.usefixtures("database")

TOKEN = "a token of monitoring"


@pytest.fixture
def away(monkeypatch):
    """The database is not there, for this thread and any other."""
    connection.close()
    monkeypatch.setitem(connections.settings["default"], "HOST", "/nowhere")
    yield
    connection.close()


@pytest.fixture
def monitoring(settings) -> Client:
    settings.MONITORING_TOKEN = TOKEN
    return Client(headers={"Authorization": f"Bearer {TOKEN}"})


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("operator", password="-", is_staff=True))
    return client


@pytest.fixture
def red(monkeypatch):
    monkeypatch.setattr(registry, "_checks", dict(registry._checks))
    health.register("cables", lambda: health.Finding(ok=False, message="cut at 10.0.0.7"))


def test_anyone_is_told_that_all_is_well_and_no_more(client) -> None:
    answer = client.get("/health/", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["Cache-Control"].startswith("max-age=0")


@pytest.mark.usefixtures("red")
def test_anyone_is_told_that_something_is_wrong_and_not_what(client) -> None:
    answer = client.get("/health/?format=text")
    assert (answer.status_code, answer.json()) == (500, {"status": "failed"})


@pytest.mark.usefixtures("red")
def test_monitoring_is_told_what(monitoring) -> None:
    answer = monitoring.get("/health/?format=json")
    assert answer.status_code == 500
    assert answer.json()["cables"].endswith("cut at 10.0.0.7")
    assert answer.json()["connectivity"] == "OK"
    assert 'django_health_check_status{check="RegisteredCheck",name="cables"} 0' in (
        monitoring.get("/health/?format=openmetrics").content.decode()
    )


@pytest.mark.usefixtures("red")
def test_staff_reads_it_on_a_page(staff) -> None:
    page = staff.get("/health/").content.decode()
    assert "Not healthy" in page
    assert "cut at 10.0.0.7" in page
    assert "all applied" in page
    assert ">books<" not in page
    assert ">books<" in staff.get("/health/?thorough").content.decode()


@pytest.mark.parametrize("told", ["Bearer another", f"Basic {TOKEN}", "Bearer "])
def test_another_token_is_told_what_anyone_is_told(settings, told) -> None:
    settings.MONITORING_TOKEN = TOKEN
    assert Client(headers={"Authorization": told}).get("/health/?format=json").json() == {"status": "ok"}


def test_without_a_token_configured_none_is_the_right_one(client, settings) -> None:
    settings.MONITORING_TOKEN = ""
    assert client.get("/health/?format=json", headers={"Authorization": "Bearer "}).json() == {"status": "ok"}


def test_a_user_who_is_not_staff_is_anyone(client) -> None:
    client.force_login(User.objects.create_user("reader", password="-"))
    assert client.get("/health/?format=json").json() == {"status": "ok"}


def test_probes_leave_no_connection_behind(monitoring) -> None:
    def of_this_database() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND backend_type = 'client backend'"
            )
            return cursor.fetchone()[0]

    before = of_this_database()
    for _ in range(5):
        assert monitoring.get("/health/?format=json&thorough").status_code == 200
    until = time.monotonic() + 30
    while of_this_database() > before:  # the server takes a moment to notice that one is closed
        assert time.monotonic() < until
        time.sleep(0.05)


def test_the_database_and_the_trading_side_are_connected(client, monitoring) -> None:
    assert client.get("/db/health").json() == {"status": "healthy", "database": "connected"}
    assert client.get("/trading/status").json() == {"database": "connected"}
    assert monitoring.get("/trading/status").json()["write_path"]["backlog"] == 0


@pytest.mark.usefixtures("away")
@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/health/", 500, {"status": "failed"}),
        ("/live/", 200, {"status": "ok"}),
        ("/db/health", 500, {"status": "unhealthy", "database": "disconnected"}),
        ("/trading/status", 503, {"database": "disconnected"}),
    ],
)
def test_an_outage_is_told_without_names(client, path, status, told) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()) == (status, told)


@pytest.mark.usefixtures("away")
def test_monitoring_is_told_why_the_database_is_away(monitoring) -> None:
    assert "/nowhere" in monitoring.get("/db/health").json()["database"]
    assert "/nowhere" in monitoring.get("/health/?format=json").json()["connectivity"]
    assert monitoring.get("/trading/status").json()["write_path"]["stored"] is None


def test_load_balancers_are_not_sent_to_https(client, settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert [client.get(path).status_code for path in ("/health/", "/live/", "/db/health", "/trading/status")] == [
        200
    ] * 4
    assert client.get("/admin/").status_code == 301
