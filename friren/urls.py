"""Routes. Upper floors add theirs here by string."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from friren.operations import probes
from friren.operations.metrics.prometheus import metrics

urlpatterns = [
    path("admin/", admin.site.urls),
    path("health/", probes.HealthView.as_view(), name="health"),
    path("metrics", metrics, name="metrics"),
    path("live/", probes.live, name="live"),
    path("db/health", probes.database_health, name="database-health"),
    path("trading/status", probes.trading_status, name="trading-status"),
]
