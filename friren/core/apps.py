"""The ground floor's Django app."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "friren.core"
    label = "core"
    verbose_name = "Friren"
    default_auto_field = "django.db.models.BigAutoField"
