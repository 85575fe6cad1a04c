"""The picture of the write path names what is in the code, and the tables the outcomes and verdicts there are."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from friren.persistence.receipts import WriteOutcome
from friren.persistence.retry import Verdict

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "explanation" / "write-path.md").read_text()
PICTURE = PAGE.split("```")[1]
# Name in the picture, and where it lies.
NAMED = {
    "facts.make_fact": "facts.make_fact",
    "Recorder": "recorder.Recorder",
    "Engine.store": "engine.Engine.store",
    "Engine.accept": "engine.Engine.accept",
    "Buffer": "buffer.Buffer",
    "relieve": "relief.relieve",
    "Journal": "journal.Journal",
    "Drainer": "drain.Drainer",
    "handlers.apply": "handlers.apply",
    "apply_batch": "batches.apply_batch",
    "DeadLetter": "models.DeadLetter",
}


@pytest.mark.parametrize(("name", "path"), NAMED.items())
def test_what_the_picture_names_is_there(name, path) -> None:
    module, *attributes = path.split(".")
    found = importlib.import_module(f"friren.persistence.{module}")
    for attribute in attributes:
        found = getattr(found, attribute)

    assert re.search(rf"(?<![\w.]){re.escape(name)}(?![\w])", PICTURE)


def test_the_picture_names_nothing_else() -> None:
    written = set(re.findall(r"\b(?:[A-Z][a-z]+[A-Z]?\w*(?:\.\w+)?|[a-z]+\.[a-z_]+|[a-z]+_[a-z]+)\b", PICTURE))

    assert written - NAMED.keys() <= {"PostgreSQL"}


def test_the_steps_of_the_picture_call_one_another() -> None:
    def source(module: str) -> str:
        return (ROOT / "friren" / "persistence" / f"{module}.py").read_text()

    assert ".store(" in source("recorder")
    assert ".accept(" in source("recorder")
    assert "handlers.apply(" in source("recorder")
    for used in ("Journal(", "Drainer(", "relieve(", "Buffer("):
        assert used in source("engine")
    assert "apply_batch(" in source("drain")
    assert "move_cursor(" in source("drain")


def test_every_outcome_and_verdict_has_its_line() -> None:
    lines = re.findall(r"^\| `?(\w+)`? \|", PAGE, re.MULTILINE)

    assert {outcome.value for outcome in WriteOutcome} <= set(lines)
    assert {verdict.value for verdict in Verdict} <= set(lines)
