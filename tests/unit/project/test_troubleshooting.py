"""The page that goes from the text of an error to what to do quotes texts that the code still says."""

from __future__ import annotations

import ast
import functools
import inspect
import re
from pathlib import Path

import pytest

from friren import errors

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "how-to" / "troubleshooting.md").read_text()
OURS, _, POSTGRESQLS = PAGE.partition("## What PostgreSQL says")
HOLE = "…"
# P-43 of the requirements: what people run into on their first day.
FIRST_DAY = [
    "not found", "password", "does not exist", "permission denied for schema public", "driver", "differ",
    "will not start", "slow",
]  # fmt: skip


def quoted() -> list[str]:
    """What stands in the first column of a table, between backticks."""
    rows = re.findall(r"^\| (`.+?) \|", OURS, re.MULTILINE)
    return [text for row in rows for text in re.findall(r"`([^`]+)`", row)]


def _template(node: ast.expr) -> str:
    """The text of a literal, with a hole where something is put in."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_template(part) if isinstance(part, ast.Constant) else HOLE for part in node.values)
    return ""


@functools.cache
def said() -> list[str]:
    """Every text of the code, a docstring on one line as an error shows it."""
    found: list[str] = []
    for package in ("friren", "trading_engine", "portfolio_manager"):
        for path in (ROOT / package).rglob("*.py"):
            found += map(_template, ast.walk(ast.parse(path.read_text())))
    return [" ".join(text.split()) for text in found if text]


def test_the_page_quotes_many_texts() -> None:
    assert len(quoted()) > 60


@pytest.mark.parametrize("text", quoted())
def test_what_is_quoted_is_said_by_the_code(text) -> None:
    # A hole of the page stands for a hole of the code, or for words that the page leaves out.
    pattern = re.compile(".*".join(re.escape(part.strip()) for part in text.split(HOLE)))

    assert any(map(pattern.search, said())), "the code says it no more: mend the page"


@pytest.mark.parametrize("error", [getattr(errors, name) for name in errors.__all__])
def test_every_error_that_says_what_it_means_is_on_the_page(error) -> None:
    # These are bases, or always come with a message of their own.
    own_words = {errors.ArchiveError, errors.BackupError, errors.ConfigurationError, errors.StopTradingError}
    if error in {errors.FrirenError, *own_words}:
        return
    first = inspect.cleandoc(error.__doc__).split(". ")[0].split("\n")[0].rstrip(".")

    assert any(one.startswith(first) for one in quoted())


@pytest.mark.parametrize("words", FIRST_DAY)
def test_what_people_run_into_on_their_first_day_has_a_heading(words) -> None:
    headings = [line.lower() for line in POSTGRESQLS.splitlines() if line.startswith("### ")]

    assert any(words in heading for heading in headings)
