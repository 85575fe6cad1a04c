"""The rows every database has: the user `system` and the names of the system's own notes."""

from django.db import migrations

METADATA = {
    "schema_version": "1.0.0",
    "last_event_export": "",
    "last_market_filter": "",
    "last_signal_generation": "",
    "last_trade_execution": "",
}


def seed(apps, schema_editor):
    alias = schema_editor.connection.alias
    # "!" is what Django writes for a password that no text matches.
    apps.get_model("core", "User").objects.using(alias).get_or_create(
        username="system", defaults={"password": "!", "is_active": False}
    )
    metadata = apps.get_model("core", "SystemMetadata").objects.using(alias)
    for key, value in METADATA.items():
        metadata.get_or_create(key=key, defaults={"value": value})


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]

    # Back: the tables go as a whole, rows and all.
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
