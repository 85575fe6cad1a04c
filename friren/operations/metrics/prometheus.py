"""The figures as Prometheus reads them, and the page `/metrics` that it asks."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Final

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from friren.database_config import is_loopback
from friren.operations.metrics.calls import call_times
from friren.operations.metrics.sources import Sample, collect
from friren.operations.probes import may_see_details
from friren.persistence.call_times import BOUNDS, CallTimes

__all__ = ["metrics"]

# What only ever rises, until the server's statistics are reset.
_COUNTED: Final = frozenset(
    {
        "commits", "rollbacks", "rows_inserted", "rows_updated", "rows_deleted", "rows_read", "deadlocks",
        "write_path_last_seq", "write_path_stored", "write_path_duplicates", "write_path_dead_lettered",
    }
)  # fmt: skip


class _Figures(Collector):
    """Asks for the figures whenever it is asked."""

    def collect(self) -> Iterator[Metric]:
        """Return every figure; of a database that does not answer only that."""
        try:
            found = collect()
        except DatabaseError:
            yield GaugeMetricFamily("friren_up", "Whether the database answers.", value=0)
            yield _service_seconds(call_times())
            return
        yield GaugeMetricFamily("friren_up", "Whether the database answers.", value=1)
        yield _service_seconds(found.calls)
        families: dict[str, list[Sample]] = {}
        for sample in found.samples():
            families.setdefault(sample.name, []).append(sample)
        for name, group in families.items():
            kind = CounterMetricFamily if name in _COUNTED else GaugeMetricFamily
            family = kind(f"friren_{name}", name.replace("_", " "), labels=tuple(group[0].labels))
            for sample in group:
                family.add_metric(tuple(sample.labels.values()), sample.value)
            yield family


def _service_seconds(calls: Iterable[CallTimes]) -> Metric:
    family = HistogramMetricFamily(
        "friren_service_seconds", "How long reads of services took, in this machine's processes.",
        labels=("service", "method"),
    )  # fmt: skip
    bounds = [*map(str, BOUNDS), "+Inf"]
    for one in calls:
        # Prometheus counts up to each bound all that is below it.
        buckets = list(zip(bounds, map(float, itertools.accumulate(one.counts)), strict=True))
        family.add_metric((one.service, one.method), buckets=buckets, sum_value=one.seconds)
    return family


def metrics(request: HttpRequest) -> HttpResponse:
    """`/metrics`: every figure, for this machine, staff, and who sends MONITORING_TOKEN; 403 for others."""
    if not _is_local(request) and not async_to_sync(may_see_details)(request):
        return HttpResponse("MONITORING_TOKEN as a bearer token is needed\n", status=403, content_type="text/plain")
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _is_local(request: HttpRequest) -> bool:
    # Behind a proxy everybody comes from there.
    return settings.SECURE_PROXY_SSL_HEADER is None and is_loopback(request.META.get("REMOTE_ADDR", ""))
