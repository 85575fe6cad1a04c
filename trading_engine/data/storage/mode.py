"""Which side is written and which is read: what the flags of Prescient and of Blueprint come to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from friren.environment import Environment
from friren.errors import ConfigurationError, shown
from trading_engine.data.prescient.tables import STAGES

__all__ = ["FLAGS", "StorageMode", "current_mode", "json_root", "storage_mode"]

FLAGS = ("USE_DATABASE_WRITE", "USE_DATABASE_READ", "DATABASE_FALLBACK_TO_JSON", "USE_POSTGRES", "DUAL_WRITE")


@dataclass(frozen=True, slots=True)
class StorageMode:
    """
    What a storage does. Something is always written, and what is read is always what is written.

    Attributes:
        write_database, write_file: where a record goes.
        read_database: reads ask the database; else the files.
        fallback_to_file: reads that the database does not answer ask the files.
        stages: the tables that go to the database while files are written, too.
        warnings: flags that contradict others, and what was made of them.
    """

    write_database: bool = True
    read_database: bool = True
    write_file: bool = False
    fallback_to_file: bool = False
    stages: frozenset[str] = frozenset(STAGES)
    warnings: tuple[str, ...] = ()

    def writes_database(self, stage: str) -> bool:
        """Return whether tables of a stage go to the database; settings, which are of none, go along."""
        return self.write_database and (not self.write_file or stage in self.stages or stage not in STAGES)

    def reads_database(self, stage: str) -> bool:
        """Return whether tables of a stage are read from the database."""
        return self.read_database and self.writes_database(stage)


def storage_mode(values: Mapping[str, str]) -> StorageMode:
    """
    Return what the flags in `values` come to.

    USE_DATABASE_WRITE, USE_DATABASE_READ and DATABASE_FALLBACK_TO_JSON say what they say; where one is not set
    USE_POSTGRES stands for writing and reading. With any of the three set the others have Prescient's defaults: no
    writing, no reading, falling back. DUAL_WRITE says whether files are written beside the database; files are always
    written where the database is not. With no flag at all everything is in the database, and no file is touched.

    Raises:
        ConfigurationError: a flag is neither true nor false, or a stage has no such name.
    """
    env = Environment(values)
    given = {name for name in FLAGS if env.text(name)}
    of_prescient = bool(given & set(FLAGS[:3]))
    # USE_POSTGRES stands in for those that are not set.
    other = env.flag("USE_POSTGRES", default=not of_prescient)
    write = env.flag("USE_DATABASE_WRITE", default=other)
    read = env.flag("USE_DATABASE_READ", default=other)
    file = env.flag("DUAL_WRITE", default=of_prescient) or not write
    fallback = env.flag("DATABASE_FALLBACK_TO_JSON", default=bool(given))
    warnings = []
    if read and not write:
        read = False
        warnings.append("reads ask the files: the database is not written, so it does not know the latest")
    if not read and not file:
        read = True
        warnings.append("reads ask the database: the files are not written any more, so they do not know the latest")
    return StorageMode(
        write_database=write,
        read_database=read,
        write_file=file,
        fallback_to_file=fallback and read,
        stages=_stages(env.items("FRIREN_STORAGE_STAGES", default=STAGES)),
        warnings=tuple(warnings),
    )


def _stages(named: list[str]) -> frozenset[str]:
    for name in named:
        if name not in STAGES:
            raise ConfigurationError(f"FRIREN_STORAGE_STAGES={shown(name)}: write some of {', '.join(STAGES)}")
    return frozenset(named)


def current_mode() -> StorageMode:
    """Return what the flags of this process come to. Errors as for `storage_mode`."""
    return storage_mode(os.environ)


def json_root() -> Path:
    """Return the folder of the files: FRIREN_JSON_DIR, or `data` below FRIREN_HOME."""
    env = Environment(os.environ)
    named = env.text("FRIREN_JSON_DIR")
    return Path(named).expanduser().absolute() if named else Path(settings.FRIREN_HOME) / "data"
