"""
Backups that prove themselves: a dump with the digests of what was dumped, restored and compared before it counts.

    made = make_backup(kind="DAILY")
    Shelf(settings.directory()).stored()
"""

from __future__ import annotations
