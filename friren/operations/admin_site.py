"""The admin site: Django's own, named, with its tables grouped as people look for them."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest
from django.urls import reverse

__all__ = ["FrirenAdminConfig", "FrirenAdminSite"]

OTHER: Final = "Other"
# What a trader opens first stands first; a group that is not named here comes last.
GROUPS: Final = (
    "Trading", "Decisions", "Books", "Market data", "Sentiment and models", "Backtests", "Accounts and people",
    "System", OTHER,
)  # fmt: skip


class FrirenAdminSite(AdminSite):
    """Groups models by the `group` of their ModelAdmin instead of by Django app."""

    site_header = "Friren"
    site_title = "Friren"
    index_title = "Everything that is recorded"
    site_url = None  # there is no page but these
    empty_value_display = "–"

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return the tables the user may see, grouped; those of one Django app when its page is asked for."""
        if app_label is not None:
            return super().get_app_list(request, app_label)
        grouped: dict[str, list[Any]] = {name: [] for name in GROUPS}
        for app in self._build_app_dict(request).values():
            for model in app["models"]:
                name = getattr(self._registry[model["model"]], "group", OTHER)
                grouped.setdefault(name, []).append(model)
        index = reverse("admin:index", current_app=self.name)
        return [
            {
                "name": name,
                # Part of CSS classes and ids.
                "app_label": name.lower().replace(" ", "-"),
                "app_url": index,
                "has_module_perms": True,
                "models": sorted(models, key=self._place),
            }
            for name, models in grouped.items()
            if models
        ]

    def _place(self, model: Any) -> tuple[int, str]:
        return getattr(self._registry[model["model"]], "place", 100), str(model["name"])


class FrirenAdminConfig(AdminConfig):
    """`django.contrib.admin` with our site."""

    default_site = "friren.operations.admin_site.FrirenAdminSite"
