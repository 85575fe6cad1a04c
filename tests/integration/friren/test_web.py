"""The web side: the admin's files are there without collecting them, and pages are safe by default."""

from __future__ import annotations

import pytest

from tests.servers import manage


def test_the_files_of_the_admin_are_served(client) -> None:
    response = client.get("/static/admin/css/base.css")

    assert response.status_code == 200
    assert b"".join(response.streaming_content)


def test_the_admin_asks_who_one_is(client) -> None:
    response = client.get("/admin/", follow=True)

    assert response.status_code == 200
    assert b"id_password" in response.content
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("proxy", ["true", "false"])
def test_a_deployment_passes_djangos_own_checks(tmp_path, proxy) -> None:
    done = manage(
        *("check", "--deploy", "--fail-level", "WARNING"),
        home=tmp_path,
        DATABASE_URL="postgresql://u:p@db.example/t?sslmode=verify-full",
        SECRET_KEY="x9" * 5 + "abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        ALLOWED_HOSTS="friren.example",
        FRIREN_BEHIND_PROXY=proxy,
    )

    assert done.returncode == 0, done.stderr


def test_a_remote_database_without_a_verified_certificate_is_refused(tmp_path) -> None:
    done = manage(
        "check", home=tmp_path, DATABASE_URL="postgresql://u:p@db.example/t?sslmode=require", SECRET_KEY="x" * 60
    )

    assert done.returncode == 1
    assert "friren.E001" in done.stderr
