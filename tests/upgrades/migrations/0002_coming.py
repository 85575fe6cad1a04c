"""Adds a column and fills it; in the middle of a table's rows, or not at all, it may fail."""

from django.db import migrations

from tests.upgrades import chosen


def second_half(apps, schema_editor):
    if "failure" in chosen():
        raise RuntimeError("the second half cannot be done")


def redden(apps, schema_editor):
    if chosen() == "red health":
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("ALTER TABLE core_systemmetadata ADD COLUMN belongs_to_nobody int")


class Migration(migrations.Migration):
    dependencies = [("sessions", "0001_initial")]
    operations = [
        migrations.RunSQL("CREATE TABLE upgraded (id int PRIMARY KEY); INSERT INTO upgraded VALUES (1)"),
        migrations.RunSQL("UPDATE core_user SET first_name = 'upgraded'"),
        migrations.RunPython(second_half, migrations.RunPython.noop),
        migrations.RunPython(redden, migrations.RunPython.noop),
    ]

    @property
    def atomic(self):
        return chosen() != "failure in the middle"
