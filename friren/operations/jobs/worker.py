"""The worker: queues what falls due and runs what is queued, until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count, Q
from django.utils import timezone
from procrastinate import App
from procrastinate.periodic import PeriodicDeferrer

from friren.operations.connectivity import one_line
from friren.operations.jobs import settings
from friren.operations.jobs.choices import ScheduledStatus
from friren.operations.jobs.models import ScheduledRun
from friren.operations.jobs.processes import StoppedError
from friren.operations.jobs.queue import FailedRunError, Stopping, make_app
from friren.operations.jobs.runs import worker_name

__all__ = ["Worked", "work"]

log = logging.getLogger(__name__)

# What could be begun now: due, and no job with the same lock is at work, here or elsewhere.
_LEFT: Final = """
    SELECT EXISTS (
        SELECT FROM procrastinate_jobs job
        WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())
          AND (%(queues)s::varchar[] IS NULL OR queue_name = ANY (%(queues)s::varchar[]))
          AND NOT EXISTS (SELECT FROM procrastinate_jobs other WHERE other.lock = job.lock AND other.status = 'doing')
    ) AS left
"""


@dataclass(frozen=True, slots=True)
class Worked:
    """What a worker has run: how many, and how many of them failed."""

    runs: int
    failed: int


def work(*, queues: Sequence[str] = (), concurrency: int = settings.CONCURRENCY, once: bool = False) -> Worked:
    """
    Run what is due and what falls due; as many workers as one likes, on as many machines, share the work.

    SIGTERM and Ctrl-C let what is running go on for GRACE_SECONDS; then it is ended, and the next worker begins it
    again. A second one does not wait.

    Args:
        queues: only these; all of them unless given.
        concurrency: how many jobs at a time.
        once: only what is due now.

    Raises:
        ConfigurationError: a cron line cannot be read.
    """
    began = timezone.now()
    # What it says of each job, we say in our own words.
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    logging.getLogger("procrastinate.worker").addFilter(_told_elsewhere)
    stopping = Stopping()
    options: dict[str, Any] = {
        "queues": list(queues) or None,
        "concurrency": concurrency,
        "name": None,
        "wait": not once,
        "delete_jobs": "successful",
        "install_signal_handlers": False,
        "update_heartbeat_interval": settings.HEARTBEAT_SECONDS,
        "stalled_worker_timeout": settings.LOST_SECONDS,
    }
    app = make_app(stopping)
    # psycopg cannot use the other loop that Windows has.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(_serve(app, stopping, options, once=once))
    return _worked(since=began)


async def _serve(app: App, stopping: Stopping, options: dict[str, Any], *, once: bool) -> None:
    told = asyncio.Event()

    def stop() -> None:
        stopping.begin(settings.GRACE_SECONDS)
        told.set()

    # Each job waits for its command in a thread.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(options["concurrency"] + 2))
    for number in (signal.SIGINT, signal.SIGTERM):
        # Not on Windows: there Ctrl-C cancels this task, and a service is ended without a word.
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, stop)
    while not told.is_set():
        working = asyncio.create_task(_work(app, options, once=once))
        try:
            await asyncio.wait({working, asyncio.create_task(told.wait())}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not working.done():
                if not told.is_set():
                    stop()
                working.cancel()  # it takes no more, and waits for what is running
                with contextlib.suppress(asyncio.CancelledError):
                    await working
        if told.is_set():
            return
        trouble = working.exception()
        if once:
            if trouble is not None:
                raise trouble
            return
        log.warning("the worker begins anew in %g s: %s", settings.RETURN_SECONDS, _reason(trouble))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(told.wait(), settings.RETURN_SECONDS)


async def _work(app: App, options: dict[str, Any], *, once: bool) -> None:
    async with app.open_async():
        if once:
            # A worker that does not wait would look for jobs before it has queued any.
            deferrer = PeriodicDeferrer(app.periodic_registry, **app.periodic_defaults)
            await deferrer.defer_jobs(deferrer.get_previous_tasks(at=time.time()))
        await app.run_worker_async(**options)
        # It ends as soon as nothing can be begun, and what waited for another one's lock can be begun by now.
        while once and (await app.connector.execute_query_one_async(_LEFT, queues=options["queues"]))["left"]:
            await app.run_worker_async(**options)


def _reason(trouble: BaseException | None) -> str:
    if trouble is None:
        return "it has lost its database"
    return one_line(trouble.__cause__ or trouble)


def _told_elsewhere(record: logging.LogRecord) -> bool:
    """Leave out what the log of runs tells in words: a command that failed is no fault of the worker's code."""
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    return not isinstance(error, FailedRunError | StoppedError)


def _worked(*, since: dt.datetime) -> Worked:
    found = ScheduledRun.objects.filter(worker=worker_name(), started_at__gte=since).aggregate(
        runs=Count("pk"), failed=Count("pk", filter=Q(status=ScheduledStatus.FAILED))
    )
    return Worked(**found)
