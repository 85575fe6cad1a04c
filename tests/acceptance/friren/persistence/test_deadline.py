"""A call ends at its deadline, whatever the server and the network do: measured."""

from __future__ import annotations

import statistics
import time

import pytest
from django.db import OperationalError, connections, transaction

from friren.persistence.deadline import DeadlineExceededError, WorkTooLongError, bounded_wrapper
from friren.persistence.direct import Direct
from friren.persistence.engine import Engine
from tests import servers
from tests.busy import Stopwatch
from tests.faults.proxy import FaultProxy
from tests.outages import alias_for, frozen

DEADLINE = 0.25
# What may be added to a wait, beside the time that a busy machine gives to others: that is not counted.
NOISE = 0.1
# Where the server has to answer in time, and the machine may be busy.
AMPLE = 3.0


@pytest.fixture(scope="module")
def server():
    """One server for all: every test leaves it running."""
    yield from servers.throw_away_server()


@pytest.fixture(autouse=True)
def _unblocked(django_db_blocker):
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def make_engine():
    made = []

    def make(using, deadline=DEADLINE):
        made.append(Engine(using, deadline=deadline))
        return made[-1]

    yield make
    for engine in made:
        engine.close(0)


@pytest.fixture
def proxy(server):
    opened = FaultProxy(server.location.socket)
    yield opened
    opened.close()


def _connected(using, deadline=DEADLINE):
    wrapper = bounded_wrapper(using, f"{using}:bounded", deadline=deadline)
    wrapper.connect()
    return wrapper


def _timed(wrapper, statement, deadline=DEADLINE):
    watch = Stopwatch()
    wrapper.connection.deadline_at = time.monotonic() + deadline
    with pytest.raises(OperationalError) as caught:
        wrapper.cursor().execute(statement)
    assert watch.seconds >= deadline or caught.value.__cause__.sqlstate, "given up before the deadline"
    return watch.own, caught.value.__cause__


def test_a_frozen_server_is_given_up_at_the_deadline(server) -> None:
    taken = []
    with alias_for(server, "frozen") as using:
        wrappers = [_connected(using) for _ in range(10)]
        with frozen(server):
            for wrapper in wrappers:
                seconds, cause = _timed(wrapper, "SELECT 1")
                assert isinstance(cause, DeadlineExceededError)
                assert wrapper.connection.closed
                taken.append(seconds)
    assert all(seconds < DEADLINE + NOISE for seconds in taken), taken
    assert statistics.median(taken) < DEADLINE + 0.02, taken


def test_a_black_hole_is_given_up_at_the_deadline(server, proxy) -> None:
    with alias_for(server, "hole", HOST="127.0.0.1", PORT=str(proxy.port)) as using:
        wrapper = _connected(using)
        wrapper.connection.deadline_at = time.monotonic() + DEADLINE
        assert wrapper.cursor().execute("SELECT 1").fetchone() == (1,)
        proxy.swallow()
        seconds, cause = _timed(wrapper, "SELECT 1")
    assert isinstance(cause, DeadlineExceededError)
    assert seconds < DEADLINE + NOISE


def test_a_server_that_lives_names_the_cause_before_the_deadline(server) -> None:
    with alias_for(server, "slow") as using:
        wrapper = _connected(using, deadline=AMPLE)
        seconds, cause = _timed(wrapper, "SELECT pg_sleep(60)", deadline=AMPLE)
        assert cause.sqlstate == "57014"
        assert not isinstance(cause, DeadlineExceededError)
        assert seconds < AMPLE
        assert not wrapper.connection.closed
        wrapper.close()


def test_nothing_is_asked_once_the_deadline_has_passed(server) -> None:
    with alias_for(server, "late") as using:
        wrapper = _connected(using)
        seconds, cause = _timed(wrapper, "SELECT 1", deadline=-1.0)
    assert isinstance(cause, WorkTooLongError)
    assert seconds < NOISE


def test_work_of_several_statements_has_one_deadline(server, make_engine) -> None:
    """Each statement is quick enough by itself; together they are not."""
    with alias_for(server, "many") as using:
        engine = make_engine(using)

        def work(alias):
            with connections[alias].cursor() as cursor:
                for _ in range(10):
                    cursor.execute("SELECT pg_sleep(0.06)")

        engine.store(lambda alias: connections[alias].cursor().execute("SELECT 1"), deadline=60)
        watch = Stopwatch()
        assert engine.store(work) is None
        assert watch.own < DEADLINE + NOISE


def test_a_transaction_that_breaks_off_opens_no_connection_on_the_callers_thread(server, proxy, make_engine) -> None:
    """Django would, to restore its mode: into a black hole, for as long as a connect may take."""
    with alias_for(server, "broken", HOST="127.0.0.1", PORT=str(proxy.port)) as using:
        engine = make_engine(using)

        def work(alias):
            with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
                cursor.execute("SELECT 1")
                proxy.swallow()
                cursor.execute("SELECT 1")

        engine.store(lambda alias: connections[alias].cursor().execute("SELECT 1"), deadline=5)
        began = time.monotonic()
        assert engine.store(work) is None
        assert time.monotonic() - began < DEADLINE + NOISE


def test_long_work_in_a_transaction_is_not_taken_for_one_either(server, make_engine) -> None:
    with alias_for(server, "long") as using:
        engine = make_engine(using)

        def work(alias):
            with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
                cursor.execute("SELECT 1")
                time.sleep(DEADLINE)
                cursor.execute("SELECT 1")

        engine.store(lambda alias: connections[alias].cursor().execute("SELECT 1"), deadline=5)
        assert engine.store(work) is None
        assert engine.circuit.closed


def test_long_work_is_not_taken_for_a_server_that_does_not_answer(server, make_engine) -> None:
    with alias_for(server, "busy") as using:
        engine = make_engine(using, deadline=AMPLE)

        def work(alias):
            with connections[alias].cursor() as cursor:
                cursor.execute("SELECT 1")
                time.sleep(AMPLE)
                cursor.execute("SELECT 1")

        engine.store(lambda alias: connections[alias].cursor().execute("SELECT 1"), deadline=60)
        assert engine.store(work) is None
        assert engine.circuit.closed


def test_the_caller_never_connects(server, make_engine) -> None:
    """A connection that cannot be had is not waited for longer than the deadline, and the next call not at all."""
    with alias_for(server, "cold") as using:
        with frozen(server):
            engine = make_engine(using)
            watch = Stopwatch()
            assert engine.store(lambda _alias: 1) is None
            first = watch.own
            watch = Stopwatch()
            assert engine.store(lambda _alias: 1) is None
            second = watch.own
        assert first < DEADLINE + NOISE
        assert second < 0.05
        until = time.monotonic() + 60
        while (found := engine.store(lambda _alias: 1)) is None:
            assert time.monotonic() < until, "the thawed server is not found again"
            time.sleep(0.05)
        assert found == 1


def test_an_idle_connection_that_the_server_ended_costs_one_call(server, make_engine) -> None:
    with alias_for(server, "ended") as using:
        engine = make_engine(using)
        select = "SELECT pg_backend_pid()"
        pid = engine.store(lambda alias: connections[alias].cursor().execute(select).fetchone()[0], deadline=60)
        with server.connect() as admin:
            # Until its process has gone, and its end of the connection with it.
            assert admin.execute("SELECT pg_terminate_backend(%s, 60000)", [pid]).fetchone()[0]
        assert engine.store(lambda alias: connections[alias].cursor().execute(select).fetchone()[0]) is None
        until = time.monotonic() + 60
        while engine.store(lambda alias: connections[alias].cursor().execute(select).fetchone()[0]) is None:
            assert time.monotonic() < until
            time.sleep(0.02)


def test_threads_that_end_leave_no_connection_behind(server, make_engine) -> None:
    import threading

    with alias_for(server, "threads") as using:
        engine = make_engine(using, deadline=30.0)
        done = []

        def work() -> None:
            done.append(engine.store(lambda alias: connections[alias].cursor().execute("SELECT 1").fetchone()[0]))

        for _ in range(5):
            threads = [threading.Thread(target=work) for _ in range(12)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert done == [1] * 60
        writes: Direct = engine._writes
        assert 1 <= writes.pool.open <= writes.pool._size
        with server.connect() as admin:
            count = admin.execute("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
            assert count.fetchone()[0] <= writes.pool._size + 1
        engine.close(0)  # while its alias is there
