"""
Old rows out of the tables that are worked with, and back: archive, unarchive, and whole months as Parquet.

Upper floors say which of their tables may go, and when:

    from friren.operations.archive import register_archive, register_kept

    register_archive(Signal, time="timestamp", days=365, movable="NOT executed")      # in AppConfig.ready()
    register_kept(Trade, "the books are folded from every fill")
"""

from __future__ import annotations

from friren.operations.archive.policies import ArchivePolicy, register_archive, register_kept

__all__ = ["ArchivePolicy", "register_archive", "register_kept"]
