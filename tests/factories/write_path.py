"""The write path's own tables."""

from __future__ import annotations

import factory
from factory.django import DjangoModelFactory

from friren.core.ids import new_id
from friren.persistence.models import DeadLetter, JournalCursor, LossRecord
from tests.factories.ground import later


class JournalCursorFactory(DjangoModelFactory):
    class Meta:
        model = JournalCursor

    producer = factory.LazyFunction(new_id)
    label = "trading at db.example:5432"
    seq = 7
    stored = 5
    duplicates = 1
    dead_lettered = 1


class DeadLetterFactory(DjangoModelFactory):
    class Meta:
        model = DeadLetter

    producer = factory.LazyFunction(new_id)
    seq = factory.Sequence(lambda number: number + 1)
    fact_id = factory.LazyFunction(new_id)
    kind = "trade"
    payload = b'{"v":1,"kind":"trade","values":{"reasoning":"\x00\xff"}}'
    error_class = "RejectedRecordError"
    error = "quantity=Decimal('-5'): must be more than 0"


class LossRecordFactory(DjangoModelFactory):
    class Meta:
        model = LossRecord

    id = factory.LazyFunction(new_id)
    producer = factory.LazyFunction(new_id)
    kind = "signal"
    lost = 3
    first_at = factory.Sequence(later)
    last_at = factory.SelfAttribute("first_at")
    reason = "database and disk refused and the memory buffer was full"
