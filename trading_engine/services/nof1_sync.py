"""Keep books in step with what nof1.ai's API tells: pull what is new, import it, and remember how far that went."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from django.db import transaction

from friren.core.models import SystemMetadata
from friren.persistence.recorder import Recorder
from trading_engine.data.http_pull import HttpPuller, PullError
from trading_engine.data.importers.records import ReadFiles
from trading_engine.data.importers.sources import read_files
from trading_engine.services.data_imports import ImportedFile, import_file
from trading_engine.services.import_accounts import account_of

__all__ = ["ANSWERS", "COUNTS", "Answer", "PulledAnswer", "sync_nof1"]

SOURCE: Final = "copy_ai"
COUNTS: Final = ("records", "imported", "updated", "duplicates", "conflicts", "rejected", "journaled")


@dataclass(frozen=True, slots=True)
class Answer:
    """
    An answer of the API.

    Attributes:
        path: below the address of the API.
        rows: name of the list in the answer.
        query: what it is always asked with.
        since: parameter that asks for what came after a mark, "" where there is none.
        mark: name of that mark in the answer.
    """

    path: str
    rows: str
    query: Mapping[str, str] = field(default_factory=dict)
    since: str = ""
    mark: str = ""


ANSWERS: Final = (
    Answer("trades", "trades"),
    Answer("positions", "accountTotals", {"limit": "1000"}),
    Answer("account-totals", "accountTotals", since="lastHourlyMarker", mark="lastHourlyMarkerRead"),
)


@dataclass(slots=True)
class PulledAnswer:
    """
    What became of one answer.

    Attributes:
        outcome: imported; unchanged: the API says that nothing is new; skipped: the importer takes no such answer;
            failed: see `error`.
        imported: what the import said; None where there was none.
    """

    name: str
    outcome: str = "failed"
    error: str = ""
    imported: ImportedFile | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON, with a count for each of `COUNTS`."""
        told = self.imported or ImportedFile("")
        return {
            "name": self.name,
            "outcome": self.outcome,
            "error": self.error,
            **{name: getattr(told, name) for name in COUNTS},
            "rejected_rows": [{"line": row.line, "path": row.path, "rule": row.rule} for row in told.rejected_rows],
            "conflict_rows": told.conflict_rows,
        }


@dataclass(frozen=True, slots=True)
class _New:
    """An answer that has something new: what becomes of it, and how far it goes."""

    answer: Answer
    one: PulledAnswer
    reached: Mapping[str, str]


def sync_nof1(
    puller: HttpPuller, *, folder: Path, account: str = "", answers: Sequence[Answer] = ANSWERS
) -> list[PulledAnswer]:
    """
    Pull each answer once and import what is new. Doing it again stores nothing; what is told otherwise than it is
    stored is a conflict: the stored fact stays, the other telling becomes a dead letter.

    How far it went is remembered when all of an answer is stored: its ETag, or the mark that `since` goes on from. A
    pull that fails, an answer that breaks off and a record that is refused are pulled again by the next run.

    Args:
        puller: asks the API; another address starts anew.
        folder: where the last answers are kept as files, to which reports and dead letters refer.
        account: name of the books, which must be open; those of the source, opened if needed, when "".
        answers: what to pull.

    Returns:
        One for each of `answers`; a failed one does not keep the others from being pulled.

    Raises:
        ConfigurationError: no such books.
        DatabaseError, OSError: what has to be remembered cannot be.
    """
    name = account or SOURCE
    found: list[PulledAnswer] = []
    new: dict[Path, _New] = {}
    for answer in answers:
        one = PulledAnswer(answer.path)
        found.append(one)
        state = _known(name, answer, puller.base)
        # A tag belongs to an address with its query, which a mark changes.
        query = {**answer.query, **({answer.since: state["since"]} if state.get("since") else {})}
        try:
            got = puller.pull(answer.path, query=query, etag="" if answer.since else state.get("etag", ""))
        except PullError as exc:
            one.error = str(exc)
            continue
        if got.body is None:
            one.outcome = "unchanged"
            continue
        told = _told(got.body)
        since = _mark_of(told, answer) or state.get("since", "")
        reached = {"base": puller.base, "etag": got.etag, "since": since}
        if told.get(answer.rows) == []:
            one.outcome = "unchanged"
            _remember(name, answer, reached)
            continue
        path = folder / quote(name, safe="") / f"{answer.path}.json"
        _keep(path, got.body)
        new[path] = _New(answer, one, reached)
    _import(new, account)
    for each in new.values():
        if each.one.outcome == "imported" and each.one.imported is not None and not each.one.imported.rejected:
            _remember(name, each.answer, each.reached)
    return found


def _import(new: Mapping[Path, _New], account: str) -> None:
    """Import what was pulled, by the importer that takes such files from disk."""
    read = read_files(SOURCE, list(new)) if new else ReadFiles()
    for path, rule in read.skipped:
        new[path].one.outcome, new[path].one.error = "skipped", rule
    for failure in read.unreadable:
        new[Path(failure.value)].one.error = str(failure)
    if not read.files:
        return
    handle = account_of(read.book, account=account)
    recorder = Recorder()
    try:
        for file in read.files:
            one = new[file.path].one
            one.imported = import_file(file, account=handle, recorder=recorder)
            broken = one.imported.broken
            one.outcome, one.error = ("failed", str(broken)) if broken else ("imported", "")
    finally:
        recorder.close()


def _keep(path: Path, body: bytes) -> None:
    """Put an answer in the place of the one before, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(body)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _told(body: bytes) -> dict[str, object]:
    """Return an answer as an object, {} where it is none: the importer says what is wrong with it."""
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _mark_of(told: Mapping[str, object], answer: Answer) -> str:
    """Return the mark that the answer says it goes up to, "" for none."""
    mark = told.get(answer.mark)
    return str(mark) if isinstance(mark, int) and not isinstance(mark, bool) else ""


def _key(account: str, answer: Answer) -> str:
    return f"sync_nof1/{account}/{answer.path}"


def _known(account: str, answer: Answer, base: str) -> dict[str, str]:
    """Return how far an answer was pulled; {} for never, or from elsewhere."""
    row = SystemMetadata.objects.filter(key=_key(account, answer)).first()
    if row is None:
        return {}
    try:
        state = json.loads(row.value)
    except ValueError:
        return {}
    known = isinstance(state, dict) and state.get("base") == base
    return {name: str(value) for name, value in state.items()} if known else {}


def _remember(account: str, answer: Answer, state: Mapping[str, str]) -> None:
    with transaction.atomic():
        SystemMetadata.objects.update_or_create(key=_key(account, answer), defaults={"value": json.dumps(dict(state))})
