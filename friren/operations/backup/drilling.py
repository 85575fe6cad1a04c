"""The drill of a backup of the whole server: unpack its chain, start a server on it, read all, throw it away."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from typing import Final

from pyrage import x25519

from friren import embedded
from friren.embedded import cluster
from friren.embedded.binaries import find_binaries
from friren.embedded.location import server_identity
from friren.operations.backup.chains import links_of, whole_chain
from friren.operations.backup.contents import Contents
from friren.operations.backup.manifest import Manifest
from friren.operations.backup.programs import find_programs
from friren.operations.backup.recovering import recover
from friren.operations.backup.scratch import scratch_folder
from friren.operations.backup.shelf import Shelf
from friren.operations.backup.unpacking import unpack_chain

__all__ = ["drill_chain"]

# As far as it is consistent, and no further: no archive is needed.
_IMMEDIATE: Final = {"recovery_target": "immediate"}


def drill_chain(
    shelf: Shelf, manifest: Manifest, identities: Callable[[], Sequence[x25519.Identity]]
) -> tuple[Contents, str]:
    """
    Restore a backup and all it builds on into a server below FRIREN_HOME, and return what that holds, and its version.

    Raises:
        BackupError: a file is damaged or missing, the server does not start, or another drill is running.
        ConfigurationError: a key or the programs are missing.
    """
    links = links_of(shelf)
    chain = whole_chain(next(link for link in links if link.manifest.id == manifest.id), links)
    link = chain[-1]
    programs = find_programs(manifest.major, program="pg_controldata")
    with scratch_folder() as home:
        location = embedded.locate(home / "whole", binaries=programs.directory)
        identity = server_identity(location)
        _clear(location)
        try:
            cluster.prepare_folders(location, identity)
            unpack_chain(chain, location.data, programs=programs, identities=identities)
            wal = location.root / "wal"
            wal.mkdir()
            binaries = find_binaries(programs.directory, identity=identity)
            recovered = recover(
                location, binaries, identity, target=_IMMEDIATE, timeline=link.physical.timeline, wal=wal,
                superuser=link.physical.superuser, database=manifest.database,
            )  # fmt: skip
        finally:
            _clear(location)
    return recovered.contents, programs.version


def _clear(location: embedded.Location) -> None:
    embedded.stop(location)
    shutil.rmtree(location.socket_directory, ignore_errors=True)
    shutil.rmtree(location.root, ignore_errors=True)
