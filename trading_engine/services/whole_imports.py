"""
Sources that are imported as a whole, not fill by fill: exports of Friren, and what upper floors register.

    register_importer("blueprint", import_blueprint)          # in AppConfig.ready()
"""

from __future__ import annotations

from collections.abc import Callable

from trading_engine.data.importers.records import ReadFiles
from trading_engine.services.data_imports import ImportedFile

__all__ = ["Importer", "importer_of", "register_importer", "whole_sources"]

# `work(paths, *, dry_run)` imports files and folders and returns what they are and what became of each.
Importer = Callable[..., tuple[ReadFiles, list[ImportedFile]]]

_importers: dict[str, Importer] = {}


def register_importer(source: str, work: Importer) -> None:
    """Let `import_data --source SOURCE` be done by `work`."""
    _importers[source] = work


def whole_sources() -> tuple[str, ...]:
    """Return the names of the sources that are registered."""
    return tuple(_importers)


def importer_of(source: str) -> Importer | None:
    """Return what imports a source, None for one that is read fill by fill."""
    return _importers.get(source)
