"""
Old rows out of the tables that are worked with, and back: archive, unarchive, and whole months as Parquet.

Upper floors say which of their tables may go, and when:

    from friren.operations.archive import register_archive, register_kept

    register_archive(Signal, time="timestamp", days=365, movable="NOT executed")      # in AppConfig.ready()
    register_kept(PeriodCheckpoint, "what was closed stays said")

Tables whose rows refer to one another all round go together, see `bundles`.
"""

from __future__ import annotations

from friren.operations.archive.bundles import Bundle, Keeper, Picked, Span, register_bundle
from friren.operations.archive.policies import ArchivePolicy, register_archive, register_kept

__all__ = [
    "ArchivePolicy", "Bundle", "Keeper", "Picked", "Span", "register_archive", "register_bundle", "register_kept",
]  # fmt: skip
