"""`health` from outside: what an orchestrator or a person at a terminal sees."""

from __future__ import annotations

import json


def report(done) -> dict:
    return json.loads(done.stdout)


def test_is_red_until_the_server_is_migrated(server) -> None:
    before = server.manage("health", "--json")
    server.manage("migrate")
    after = server.manage("health", "--json")

    assert (before.returncode, report(before)["status"]) == (1, "failed")
    assert report(before)["checks"]["migrations"]["ok"] is False
    assert "core.0001_initial" in report(before)["checks"]["migrations"]["unapplied"]
    assert (after.returncode, report(after)["status"]) == (0, "ok")


def test_says_why_the_server_cannot_be_reached(server) -> None:
    server.stop()
    done = server.manage("health", "--json")

    assert done.returncode == 1
    assert list(report(done)["checks"]) == ["connectivity"]
    assert "No such file or directory" in report(done)["checks"]["connectivity"]["message"]


def test_live_asks_no_database(server) -> None:
    server.stop()
    done = server.manage("health", "--live", "--json")

    assert (done.returncode, report(done)) == (0, {"status": "ok", "checks": {}})


def test_asks_only_what_is_wanted(server) -> None:
    done = server.manage("health", "--check", "connectivity", "--json")

    assert (done.returncode, list(report(done)["checks"])) == (0, ["connectivity"])
    assert server.manage("health", "--check", "weather").returncode == 2
