"""The queue: every schedule as a periodic task of procrastinate, whose tables see to it that each is queued once."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.db import DEFAULT_DB_ALIAS, connections
from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job

from friren.errors import ConfigurationError, FrirenError
from friren.operations.jobs import cron, processes, queue_tables, runs, settings
from friren.operations.jobs.choices import ScheduledStatus
from friren.operations.jobs.registry import QUEUE, Schedule, registered

__all__ = ["Stopping", "make_app"]

log = logging.getLogger(__name__)

RESCUE: Final = "friren.rescue"
# One for heartbeats and looks, one that listens, one to spare.
CONNECTIONS_MAX: Final = 3
# Looked at again under the row's lock: another worker may have queued it meanwhile, and a third have begun it.
_LOST: Final = """
    (SELECT id FROM procrastinate_jobs job WHERE id = %(job)s AND status = 'doing' AND NOT EXISTS (
        SELECT FROM procrastinate_workers worker
        WHERE worker.id = job.worker_id AND last_heartbeat >= now() - make_interval(secs => %(seconds)s)
    ) FOR UPDATE) AS lost
"""
_AGAIN: Final = f"SELECT procrastinate_retry_job_v2(lost.id, now(), NULL, NULL, NULL) FROM {_LOST}"
_GIVE_UP: Final = f"SELECT procrastinate_finish_job_v1(lost.id, 'failed', false) FROM {_LOST}"


class FailedRunError(FrirenError):
    """A scheduled command failed; the log of runs says why."""


class Stopping:
    """When the commands of a worker have to end: never, until the worker is told to."""

    def __init__(self) -> None:
        self._until: float | None = None
        self._lock = threading.Lock()

    def begin(self, seconds: float) -> None:
        """Let them go on for `seconds`; told a second time, they end at once."""
        with self._lock:
            self._until = time.monotonic() + (seconds if self._until is None else 0.0)

    def due(self) -> bool:
        """Return whether their time is up."""
        return self._until is not None and time.monotonic() >= self._until


class _PutBack(BaseRetryStrategy):
    """What a worker that ends could not finish is the next one's; what failed waits for its next turn."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        del job
        return RetryDecision() if isinstance(exception, processes.StoppedError) else None


def make_app(stopping: Stopping) -> App:
    """
    Return procrastinate's app with every schedule, off or on: one that is off elsewhere can still be taken here.

    Raises:
        ConfigurationError: a cron line cannot be read, or procrastinate wants tables that no migration has made.
    """
    if unknown := queue_tables.unknown():
        raise ConfigurationError(
            f"this version of procrastinate changes its tables ({', '.join(unknown)}), which this version of "
            "Friren does not know: install the one that requirements.lock names"
        )
    parameters = connections[DEFAULT_DB_ALIAS].get_connection_params()
    for own in ("cursor_factory", "context"):
        parameters.pop(own, None)
    app = App(
        connector=PsycopgConnector(kwargs=parameters, min_size=1, max_size=CONNECTIONS_MAX),
        periodic_defaults={"max_delay": settings.CATCH_UP_SECONDS},
    )
    for schedule in registered().values():
        _add(app, schedule, stopping)
    rescue = app.task(name=RESCUE, queue=QUEUE, queueing_lock=RESCUE, pass_context=True)(_rescue)
    app.periodic(cron=settings.RESCUE_CRON)(rescue)  # type: ignore[arg-type]  # likewise
    return app


def _add(app: App, schedule: Schedule, stopping: Stopping) -> None:
    def perform(context: JobContext, *, timestamp: int) -> None:
        _perform(context, schedule, dt.datetime.fromtimestamp(timestamp, dt.UTC), stopping)

    task = app.task(
        name=f"friren.{schedule.name}", queue=schedule.queue, lock=schedule.lock, queueing_lock=schedule.name,
        pass_context=True, retry=_PutBack(),
    )(perform)  # fmt: skip
    if schedule.cron:
        cron.check(schedule)
        app.periodic(cron=schedule.cron)(task)  # type: ignore[arg-type]  # it calls by name, whatever it says


def _perform(context: JobContext, schedule: Schedule, due_at: dt.datetime, stopping: Stopping) -> None:
    assert context.job.id is not None
    try:
        following = cron.following(schedule, due_at)
        run = runs.begin(schedule, due_at=due_at, queue_job=context.job.id, next_due_at=following)
        if run is None:
            log.info("%s of %s was run before", schedule.name, due_at)
            return
        log.info("%s begins: %s", schedule.name, run.command)
        connections.close_all()  # a backup may take hours
        try:
            ended = processes.execute(schedule.command, should_stop=lambda: stopping.due() or context.should_abort())
        except processes.StoppedError:
            runs.end(run, ScheduledStatus.INTERRUPTED, "the worker was told to end")
            raise
        if ended.code:
            message = ended.said or f"exit code {ended.code}"
            runs.end(run, ScheduledStatus.FAILED, message)
            log.error("%s failed: %s", schedule.name, message)
            raise FailedRunError(message)
        runs.end(run, ScheduledStatus.SUCCEEDED)
        log.info("%s is done", schedule.name)
    finally:
        connections.close_all()


async def _rescue(context: JobContext, *, timestamp: int) -> None:
    """
    Queue again what a worker that is gone had begun, and clear away what is old.

    Without a lock, which a worker that died over this would keep; several may do it at once.
    """
    del timestamp
    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=settings.LOST_SECONDS):
        again = job.task_name != RESCUE and job.attempts + 1 < settings.ATTEMPTS_MAX
        assert job.id is not None
        await sync_to_async(_note_lost)(job.id, again)
        told = "it is begun again" if again else "it is given up"
        try:
            await _move(context.app, _AGAIN if again else _GIVE_UP, job.id)
        except ConnectorException:
            # The next moment of the schedule waits in the queue, and would wait for this one for ever.
            await _move(context.app, _GIVE_UP, job.id)
            told = "its next moment takes its place"
        log.warning("%s lost its worker: %s", job.task_name, told)
    await manager.delete_old_jobs(24, include_failed=True, include_cancelled=True, include_aborted=True)
    await sync_to_async(_forget_old)()


async def _move(app: App, statement: str, job: int) -> None:
    await app.connector.execute_query_all_async(statement, job=job, seconds=settings.LOST_SECONDS)


def _note_lost(queue_job: int, again: bool) -> None:
    _closing(lambda: runs.lose(queue_job, again=again))


def _forget_old() -> None:
    _closing(runs.forget_old)


def _closing(work: Any) -> None:
    try:
        work()
    finally:
        connections.close_all()
