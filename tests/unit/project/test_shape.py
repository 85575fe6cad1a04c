"""The shape of the code: short modules, short functions, documented commands."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("friren", "trading_engine", "portfolio_manager")
MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 70


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (path for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts)


@pytest.mark.parametrize("path", sorted(modules()), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_fits_a_readers_head(path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MODULE_LINES_MAX
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert (node.end_lineno or 0) - node.lineno < FUNCTION_LINES_MAX, node.name


def own_commands() -> list[str]:
    return sorted(name for name, app in get_commands().items() if app.partition(".")[0] in PACKAGES)


def test_every_command_is_documented_and_no_other() -> None:
    text = (ROOT / "docs" / "reference" / "commands.md").read_text()
    documented = {line.removeprefix("### ").strip() for line in text.splitlines() if line.startswith("### ")}

    assert documented == set(own_commands())


@pytest.mark.parametrize("name", own_commands())
def test_every_command_has_help(name) -> None:
    command = load_command_class(get_commands()[name], name)

    assert command.help
    assert name in command.create_parser("manage.py", name).format_help()


def test_nothing_names_the_machine_it_was_written_on() -> None:
    needles = ("/work" + "/", "/tmp/" + "lead", "local" + "host:8080/simple")
    suspects = [
        path
        for folder in (*PACKAGES, "tests", "docs", "deploy", ".ci")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix in {".py", ".md", ".toml", ".sh", ".yml", ".html", ""}
    ]
    found = [path for path in suspects if any(needle in path.read_text(errors="replace") for needle in needles)]

    assert found == []
