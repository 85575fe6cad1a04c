"""
The journal: what was accepted and is not yet in PostgreSQL, on this machine's disk.

    root/<address>/address.json                 whose database this is, readable
    root/<address>/<producer>/lock              held while the producer lives; saves work, promises nothing
    root/<address>/<producer>/<first seq>.seg   records, appended by that one process and by no other
    root/<address>/<producer>/damaged/          bytes that no longer are a record, set aside and counted

A producer is one process (a forked child is another one). Its records are numbered 1, 2, 3, … without
gaps; how far they are stored is a row in PostgreSQL (JournalCursor), never anything in these files.
"""

from __future__ import annotations

from friren.persistence.journal.address import Address
from friren.persistence.journal.errors import JournalUnavailableError
from friren.persistence.journal.journal import Journal
from friren.persistence.journal.reader import Damage, JournalReader, Record
from friren.persistence.journal.shelf import journals_of, journals_under

__all__ = [
    "Address",
    "Damage",
    "Journal",
    "JournalReader",
    "JournalUnavailableError",
    "Record",
    "journals_of",
    "journals_under",
]
