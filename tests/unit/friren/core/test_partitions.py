"""The operation that creates a partitioned table stays one, whatever Django makes of a migration."""

from __future__ import annotations

from django.db import migrations, models
from django.db.migrations.optimizer import MigrationOptimizer
from django.db.migrations.writer import OperationWriter

from friren.core.partitions import CreatePartitionedModel

FIELDS = [("id", models.UUIDField(primary_key=True)), ("timestamp", models.DateTimeField())]
INDEX = models.Index(fields=["timestamp"], name="bar_time")


def create() -> CreatePartitionedModel:
    return CreatePartitionedModel(name="Bar", fields=FIELDS, partition_key="timestamp")


def test_what_follows_it_is_folded_into_it() -> None:
    late = models.TextField(default="")
    operations = [create(), migrations.AddField("bar", "note", late), migrations.AddIndex("bar", INDEX)]

    (made,) = MigrationOptimizer().optimize(operations, "trading")

    assert type(made) is CreatePartitionedModel
    assert made.partition_key == "timestamp"
    assert made.fields == [*FIELDS, ("note", late)]
    assert made.options["indexes"] == [INDEX]


def test_nothing_is_left_of_it_when_the_model_is_deleted_again() -> None:
    assert MigrationOptimizer().optimize([create(), migrations.DeleteModel("Bar")], "trading") == []


def test_is_written_down_with_its_key() -> None:
    written, imports = OperationWriter(create()).serialize()

    assert "partition_key='timestamp'" in written
    assert "import friren.core.partitions" in imports
