"""The tables of operations."""

from __future__ import annotations

import factory
from factory.django import DjangoModelFactory

from friren.operations.models import BackupRecord
from tests.factories.ground import later


class BackupRecordFactory(DjangoModelFactory):
    class Meta:
        model = BackupRecord

    kind = "DAILY"
    format = "custom"
    path = factory.Sequence("/srv/backups/20240108T143000Z-daily-{:06x}/friren.dump".format)
    size_bytes = 120_000
    sha256 = factory.Sequence("{:064x}".format)
    is_encrypted = True
    status = "VERIFIED"
    table_digests = {"public.core_account": [3, "-42549987139301040491"]}
    started_at = factory.Sequence(later)
    finished_at = factory.SelfAttribute("started_at")
    verified_at = factory.SelfAttribute("started_at")
    message = "equal in 44 tables"
