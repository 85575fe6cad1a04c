"""What killed runs have left: half runs, files whose rows never went, and files whose rows are back."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db import connections

from friren.errors import ArchiveError, ConfigurationError
from friren.operations.archive import runs
from friren.operations.archive.cold.manifests import manifest_name
from friren.operations.archive.cold.places import Place, open_place
from friren.operations.archive.policies import ArchivePolicy
from friren.operations.choices import ArchiveDirection, ArchiveTarget, RunStatus
from friren.operations.models import ArchiveRun
from friren.persistence.journal import Address

__all__ = ["discard", "room", "settle", "sweep"]

log = logging.getLogger(__name__)


@contextlib.contextmanager
def room(policy: ArchivePolicy, using: str) -> Iterator[Path]:
    """
    Make a folder for files on their way, and remove it afterwards; the caller holds the table.

    Below FRIREN_HOME, since /tmp may be memory. What a killed run has left in it goes first.
    """
    folder = Path(settings.FRIREN_HOME) / "cold" / Address.of(connections.settings[using]).folder / policy.table
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def settle(policy: ArchivePolicy, using: str) -> None:
    """Put in order what killed runs of a table have left; the caller holds it."""
    for run in runs.interrupted(policy, using):
        left = _discard(run) if run.target == ArchiveTarget.PARQUET else ""
        runs.fail(run, f"{runs.INTERRUPTED}{left}")
        log.warning("run %s of the archive of %s: %s", run.pk, policy.table, run.message)


def sweep(policy: ArchivePolicy, place: Place, using: str) -> None:
    """Remove the files of a place whose rows are back: their run was killed between its commit and the file."""
    done = ArchiveRun.objects.using(using).filter(
        table_name=policy.table, direction=ArchiveDirection.UNARCHIVE, target=ArchiveTarget.PARQUET,
        status=RunStatus.COMPLETED,
    )  # fmt: skip
    back = {str(path).removeprefix(f"{place.name}/") for path in done.values_list("path", flat=True)}
    left = set(place.names(f"{policy.table}/")) if back else set()
    for file in back:
        for name in (manifest_name(file), file):
            if name in left:
                place.remove(name)


def discard(place: Place, file: str) -> None:
    """Remove a file whose rows never went, its manifest, and the drafts of both. Errors as of a `Place`."""
    place.remove(manifest_name(file))
    place.remove(file)
    for one in (file, manifest_name(file)):
        folder, _, name = one.rpartition("/")
        for draft in place.names(f"{folder}/.{name}."):
            place.remove(draft)


def _discard(run: ArchiveRun) -> str:
    """Remove the file of a run that dropped no rows; return what to say where its place refuses."""
    where, *parts = run.path.rsplit("/", 3)
    file = "/".join(parts)
    try:
        discard(open_place(where), file)
    except (ArchiveError, ConfigurationError) as exc:
        return f"; its file may be left, and is to be removed: {exc}"
    return ""
