"""The system check of the transport."""

from __future__ import annotations

import pytest

from friren.checks import check_transport


@pytest.fixture
def configured(settings, monkeypatch):
    def configure(*, debug: bool, **database) -> list[str]:
        settings.DEBUG = debug
        monkeypatch.setitem(settings.DATABASES, "default", database)
        return [message.id for message in check_transport(app_configs=None)]

    return configure


@pytest.mark.parametrize("mode", ["disable", "prefer", "require", "verify-ca"])
@pytest.mark.parametrize("host", ["db.example", "localhost,db.example"])
def test_demands_a_verified_server_in_production(configured, host, mode) -> None:
    assert configured(debug=False, HOST=host, OPTIONS={"sslmode": mode}) == ["friren.E001"]


@pytest.mark.parametrize(
    ("debug", "host", "mode"),
    [
        (False, "db.example", "verify-full"),
        (False, "localhost", "prefer"),
        (False, "/run/postgresql", "disable"),
        (True, "db.example", "prefer"),
    ],
)
def test_is_content_otherwise(configured, debug, host, mode) -> None:
    assert configured(debug=debug, HOST=host, OPTIONS={"sslmode": mode}) == []
