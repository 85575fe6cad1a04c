"""Logs are structured, and hold no secret."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys

import pytest
import structlog

from friren.errors import ConfigurationError
from friren.logging_config import configure_logging, logging_settings, redact

SECRET = "hunter2"


@pytest.fixture
def logs(request):
    """A logger of the configured kind, and what it wrote."""

    class Logs:
        def __init__(self) -> None:
            self.stream = io.StringIO()

        def lines(self) -> list[str]:
            return self.stream.getvalue().splitlines()

    found = Logs()
    settings = logging_settings(style=request.param, level="info")
    formatter = settings["formatters"]["friren"]
    handler = logging.StreamHandler(found.stream)
    handler.setFormatter(formatter["()"](**{key: value for key, value in formatter.items() if key != "()"}))
    found.log = logging.Logger("friren.test")  # noqa: LOG001 - outside the tree that pytest listens to
    found.log.addHandler(handler)
    return found


@pytest.mark.parametrize("logs", ["json"], indirect=True)
def test_writes_one_json_object_per_line(logs) -> None:
    with structlog.contextvars.bound_contextvars(run_id="r1"):
        logs.log.info("stored %d trades", 3, extra={"symbol": "AAPL"})

    (line,) = logs.lines()
    entry = json.loads(line)
    assert (entry["event"], entry["level"], entry["logger"]) == ("stored 3 trades", "info", "friren.test")
    assert (entry["symbol"], entry["run_id"]) == ("AAPL", "r1")
    assert entry["timestamp"].endswith("Z")


@pytest.mark.parametrize("logs", ["json", "console"], indirect=True)
def test_shows_no_local_variables_of_a_failure(logs) -> None:
    def connect(dsn: str) -> None:
        key = dsn + "-key"
        raise ValueError(f"refused after {len(key)} characters")

    try:
        connect(SECRET)
    except ValueError:
        logs.log.exception("cannot connect")

    text = logs.stream.getvalue()
    assert "refused after 11 characters" in text
    assert SECRET not in text


@pytest.mark.parametrize("logs", ["json", "console"], indirect=True)
@pytest.mark.parametrize("name", ["password", "DB_PASSWORD", "api_key", "SECRET_KEY", "access_token", "Authorization"])
def test_hides_values_by_their_name(logs, name) -> None:
    logs.log.info("configured", extra={name: SECRET, "broker": {name: [SECRET]}})

    assert SECRET not in logs.stream.getvalue()
    assert "***" in logs.stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://u:{SECRET}@host/db",
        f"connect to postgresql+asyncpg://u:{SECRET}@host:5432/db failed",
        f"host=h password={SECRET} dbname=t",
        f"password='{SECRET}'",
        f'{{"api_key": "{SECRET}"}}',
        f"Authorization: Bearer {SECRET}",
        f"https://api.example/v1?token={SECRET}&x=1",
    ],
)
def test_redacts_what_looks_like_a_secret(text) -> None:
    assert SECRET not in redact(text)


@pytest.mark.parametrize("text", ["https://example.org/a:b", "token bucket is empty", "10:30 AAPL @ 187.32"])
def test_leaves_other_text_alone(text) -> None:
    assert redact(text) == text


def test_is_not_configured_by_import_or_setup() -> None:
    code = (
        "import logging, os; os.environ['FRIREN_EMBEDDED_AUTOSTART'] = 'false'; "
        "import friren; friren.setup(); import friren.logging_config; print(logging.getLogger().handlers)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("style", ["console", "json"])
def test_writes_to_stderr_so_that_stdout_is_for_reports(style) -> None:
    code = (
        "import logging, sys; from friren.logging_config import configure_logging; "
        f"configure_logging({{'LOG_FORMAT': '{style}', 'LOG_LEVEL': 'warning'}}); "
        "logging.getLogger('bot').info('quiet'); logging.getLogger('bot').warning('loud')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == ""
    assert "loud" in done.stderr
    assert "quiet" not in done.stderr


def test_refuses_an_unknown_style() -> None:
    with pytest.raises(ConfigurationError, match="LOG_FORMAT='xml'"):
        configure_logging({"LOG_FORMAT": "xml"})
