"""
What monitoring asks over HTTP: `/health/`, `/live/`, `/db/health` and `/trading/status`.

Anyone is told whether all is well, and no more: names of hosts and tables are for staff, and for who sends
MONITORING_TOKEN as a bearer token.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import DatabaseError, connection, connections
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from health_check import HealthCheck
from health_check.exceptions import ServiceUnavailable
from health_check.views import HealthCheckView

from friren.operations.connectivity import explain
from friren.operations.health import examine
from friren.operations.health.registry import registered
from friren.operations.health.write_path import figures

__all__ = ["HealthView", "database_health", "live", "may_see_details", "trading_status"]


@dataclasses.dataclass(repr=False)
class RegisteredCheck(HealthCheck):  # type: ignore[misc] # the package has no types
    """A check of `friren.operations.health`, as django-health-check runs it."""

    name: str
    message: str = dataclasses.field(default="", init=False, repr=False)
    timeout = dt.timedelta(seconds=10)

    def __repr__(self) -> str:
        return self.name

    def run(self) -> None:
        """Raise ServiceUnavailable, with the finding, when something is wrong."""
        try:
            finding, _seconds = examine([self.name]).checks[self.name]
        finally:
            connections.close_all()  # this thread is not used again, and would keep its connection
        self.message = finding.message
        if not finding.ok:
            raise ServiceUnavailable(finding.message)


class HealthView(HealthCheckView):  # type: ignore[misc] # the same
    """
    `/health/`: 200 when every check is well, else 500. For staff, each check by its name.

    `?thorough` asks those too that are not for every probe. HTML, JSON, text, OpenMetrics or a feed, by Accept or
    `?format=`.
    """

    template_name = "operations/health.html"

    async def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Run the checks, and say as much as the caller may know."""
        self.detailed = await may_see_details(request)
        response: HttpResponse = await super().get(request, *args, **kwargs)
        if self.detailed:
            return response
        failed = any(result.error for result in self.results)
        return JsonResponse({"status": "failed" if failed else "ok"}, status=500 if failed else 200)

    def get_checks(self) -> Iterator[HealthCheck]:
        """Return the checks to run."""
        yield from map(RegisteredCheck, registered(thorough=self.detailed and "thorough" in self.request.GET))


def live(request: HttpRequest) -> JsonResponse:
    """`/live/`: this process answers. It asks no database, so an outage restarts nobody."""
    del request
    return JsonResponse({"status": "ok"})


def database_health(request: HttpRequest) -> JsonResponse:
    """`/db/health`: 200 when the database answers a question, else 500."""
    error = _ask_database()
    if error is None:
        return JsonResponse({"status": "healthy", "database": "connected"})
    return JsonResponse({"status": "unhealthy", "database": _reason(request, error)}, status=500)


def trading_status(request: HttpRequest) -> JsonResponse:
    """`/trading/status`: 200 when bots have their database, else 503: then their records wait in journals."""
    error = _ask_database()
    found: dict[str, Any] = {"database": "connected" if error is None else _reason(request, error)}
    if async_to_sync(may_see_details)(request):
        found["write_path"] = figures()
    return JsonResponse(found, status=200 if error is None else 503)


def _ask_database() -> DatabaseError | None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as exc:
        return exc
    return None


def _reason(request: HttpRequest, error: DatabaseError) -> str:
    return explain(error) if async_to_sync(may_see_details)(request) else "disconnected"


async def may_see_details(request: HttpRequest) -> bool:
    """Return whether the caller is staff, or monitoring that has the token."""
    told = request.headers.get("Authorization", "")
    if settings.MONITORING_TOKEN and constant_time_compare(told, f"Bearer {settings.MONITORING_TOKEN}"):
        return True
    try:
        user = await request.auser()
    except DatabaseError:  # sessions lie there
        return False
    return bool(user.is_active and user.is_staff)
