"""The page itself: one section per app, one per table."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from django.apps import AppConfig

from friren import home
from friren.core import fields
from friren.errors import ConfigurationError
from friren.operations.schema_docs.history import History, own_apps, read_history
from friren.operations.schema_docs.tables import Rule, Table, docstring_of, table_of

__all__ = ["COMMAND", "first_difference", "page_path", "schema_page"]

COMMAND: Final = "manage.py generate_schema_docs"
PAGE: Final = Path("docs", "reference", "schema.md")
WORDS: Final = Path("docs", "reference", "columns.md")
_WORD: Final = re.compile(r"^\| (`.+`) \| (.+) \|$", re.MULTILINE)

_KINDS: Final = {
    "fact": "Fact: added once, never edited.",
    "series": "Series: points of time, partitioned by month.",
    "projection": "Projection: computed from facts, and can be made again.",
    "table": "",
}
_HEAD: Final = f"""\
# The tables

Made by `{COMMAND}` from the models and migrations; who changes them runs it again. What a
fact, a series and a projection are tells the [glossary](../glossary.md); how facts come in,
[the write path](../explanation/write-path.md).

**Kept** says what becomes of a column after the insert:

| | |
|---|---|
| digest | frozen, and part of the digest that tells whether two facts say the same |
| frozen | never changes; of a series no trigger says so, since a bar can be revised |
| moves | changes through a declared state machine only |
| | may change |

[The audit](../explanation/audit.md) seals every column of a fact but those that move. Where there is a default, a
writer may leave the column out. Every list of choices and every bound of a number is a CHECK of its column. Numbers:

| | |
|---|---|
"""


def page_path() -> Path:
    """
    Return where the page lies.

    Raises:
        ConfigurationError: Friren is installed as a wheel, which has no pages.
    """
    return _root() / PAGE


def schema_page() -> str:
    """Return what the page should say. Errors as above."""
    words = dict(_words((_root() / WORDS).read_text(encoding="utf-8")))
    numbers = (getattr(fields, name) for name in fields.__all__ if name not in {"ChoiceField", "BoundedDecimalField"})
    kinds = (f"| {one.__name__.removesuffix('Field')} | {docstring_of(one)} |\n" for one in numbers)
    parts = itertools.chain([_HEAD, *kinds], *(_app(app, read_history(app.label), words) for app in own_apps()))
    return "".join(parts)


def first_difference(wanted: str, written: str) -> str | None:
    """Return where `written` is not `wanted`, in words; None when it is."""
    if wanted == written:
        return None
    for number, (there, right) in enumerate(itertools.zip_longest(written.splitlines(), wanted.splitlines()), start=1):
        if there != right:
            told = "nothing" if there is None else f"“{there}”"
            return f"line {number} is {told}, and should be {'gone' if right is None else f'“{right}”'}"
    return "the page ends otherwise"


def _root() -> Path:
    root = home.checkout()
    if root is None:
        raise ConfigurationError(f"there is no {PAGE} here: the page is made in a clone of the repository")
    return root


def _words(page: str) -> Iterator[tuple[str, str]]:
    """Yield what names of columns mean, from the page that people keep."""
    for names, meaning in _WORD.findall(page):
        yield from ((name, meaning) for name in re.findall(r"`([^`]+)`", names))


def _app(app: AppConfig, history: History, words: Mapping[str, str]) -> Iterator[str]:
    yield f"\n## {app.verbose_name}\n"
    for model in sorted(app.get_models(), key=lambda model: model._meta.db_table):
        yield from _table(table_of(model, words), history.partitioned.get(model.__name__.lower()))
    if history.made:
        yield f"\n### Other objects of {app.label}\n\n"
        yield from (f"- {kind} `{name}`\n" for kind, name in history.made)
    yield f"\n### Migrations of {app.label}\n\n"
    for step in history.steps:
        yield f"- `{step.name}`" + (f": {'; '.join(step.does)}" if step.does else "") + "\n"


def _table(table: Table, partitioned_by: str | None) -> Iterator[str]:
    yield f"\n### {table.name}\n\n`{table.model}`. {_KINDS[table.kind]}".rstrip() + "\n"
    if table.told:
        yield f"\n{table.told}\n"
    if partitioned_by:
        yield f"\nPartitioned by month of `{partitioned_by}`; the key in the database is (id, {partitioned_by}).\n"
    yield "\n| column | type | null | default | kept | meaning |\n|---|---|---|---|---|---|\n"
    for one in table.columns:
        default = f"`{one.default}`" if one.default else ""
        cells = (f"`{one.name}`", one.kind, "null" if one.null else "", default, one.kept, one.meaning)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
    for title, rules in (
        ("Checks", table.checks), ("Unique", table.unique), ("Indexes", table.indexes), ("Triggers", table.triggers),
    ):  # fmt: skip
        yield from _rules(title, rules, as_code=title != "Triggers")


def _rules(title: str, rules: Iterable[Rule], *, as_code: bool) -> Iterator[str]:
    for number, rule in enumerate(rules):
        if not number:
            yield f"\n{title}:\n\n"
        reason = f"{rule.reason}; " if rule.reason else ""
        yield f"- `{rule.name}`: {reason}" + (f"`{rule.told}`" if as_code else rule.told) + "\n"
