"""
Structured logs: structlog and the standard library through one renderer, JSON or console, without secrets.

Commands and web servers configure logging; `import friren` and `friren.setup()` never do, because a bot's own
logging is the bot's.
"""

from __future__ import annotations

import logging.config
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

import structlog

from friren.environment import Environment

__all__ = ["configure_logging", "logging_settings", "redact"]

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
HIDDEN: Final = "***"
_SECRET_NAME: Final = re.compile(
    r"passw(or)?d|passphrase|secret|token|api_?key|private_?key|authorization|cookie|credential|dsn|database_url",
    re.IGNORECASE,
)
_SECRETS_IN_TEXT: Final = (
    # scheme://user:password@host
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@]+(@)", re.IGNORECASE), rf"\1{HIDDEN}\2"),
    # password=…, "api_key": "…", Authorization: Bearer …
    (
        re.compile(
            r"((?:passw(?:or)?d|passphrase|secret(?:_key)?|token|api_?key|authorization)[\"']?\s*[=:]\s*"
            r"(?:bearer\s+|basic\s+)?)(\"[^\"]*\"|'[^']*'|[^\s,;&\"']+)",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
)


def redact(text: str) -> str:
    """Return `text` with passwords, tokens and keys replaced by ***."""
    for pattern, replacement in _SECRETS_IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


def configure_logging(values: Mapping[str, str]) -> None:
    """Send the logs of this process to stderr, as LOG_FORMAT and LOG_LEVEL say."""
    env = Environment(values)
    style = env.choice("LOG_FORMAT", choices=("console", "json"), default="console")
    level = env.choice("LOG_LEVEL", choices=LEVELS, default="info")
    logging.config.dictConfig(logging_settings(style=style, level=level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared_processors(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def logging_settings(*, style: str, level: str) -> dict[str, Any]:
    """Return the `dictConfig` for a style ("console" or "json") and a level."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "friren": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [*_shared_processors(), structlog.stdlib.ExtraAdder()],
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(style)],
            }
        },
        # stdout belongs to the reports of commands.
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "friren", "stream": "ext://sys.stderr"}},
        "root": {"handlers": ["stderr"], "level": level.upper()},
        "loggers": {
            # The pool repeats every failed attempt; what failed is said once, by whoever asked for a connection.
            "psycopg.pool": {"level": "CRITICAL"},
            # Every probe would repeat what is wrong, with a traceback; the answer to the probe says it.
            "health_check": {"level": "ERROR"},
            "django.server": {"handlers": ["stderr"], "level": level.upper(), "propagate": False},
        },
    }


def _shared_processors() -> list[structlog.typing.Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _renderers(style: str) -> list[structlog.typing.Processor]:
    if style == "json":
        return [
            # Frames without their local variables: those hold passwords.
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            _redact_event,
            structlog.processors.JSONRenderer(default=str, ensure_ascii=False),
        ]
    return [
        structlog.processors.format_exc_info,
        _redact_event,
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
    ]


def _redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        event[name] = _redacted(name, value)
    return event


def _redacted(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _redacted(str(key), item) for key, item in value.items()}
    if _SECRET_NAME.search(name):
        return HIDDEN
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, (list, tuple)):
        return [_redacted(name, item) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return redact(str(value))
