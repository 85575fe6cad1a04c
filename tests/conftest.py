"""Fixtures for every shelf: the database of this run, and real data."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from friren import embedded
from tests import postgres as harness
from tests.backups import BUCKET

ROOT = Path(__file__).resolve().parent.parent
# What a thread may take for the batch that it is at, on a busy machine.
BATCH_SECONDS_MAX = 30.0
# vectorbt's own code, interpreted: compiling it takes a quarter of a minute, and runs here are short. Set before
# anything that is collected imports numba, which looks once.
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")

# No limit of time: how long an example takes on a busy machine says nothing about the code. The CI script asks for
# the same examples every time; whoever runs the tests by hand looks at new ones.
hypothesis.settings.register_profile(
    "friren",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize=bool(os.environ.get("FRIREN_TEST_ALL")),
)
hypothesis.settings.load_profile("friren")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a program that is not here, but never where all were installed for it."""
    for marker in item.iter_markers("debian"):
        (program,) = marker.args
        if shutil.which(program) is None:
            (pytest.fail if os.environ.get("FRIREN_TEST_ALL") else pytest.skip)(f"needs {program}, see .ci/run")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real market data and the files of other systems, which are not part of the repository."""
    folder = Path(os.environ.get("FRIREN_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}: FRIREN_SHARED_DATA names their folder")
    return folder


@pytest.fixture(scope="session")
def postgres() -> embedded.Running:
    """The running server of this worker."""
    return embedded.start(harness.location(), server_settings=harness.FAST)


@pytest.fixture(scope="session")
def django_db_setup(postgres, django_test_environment, django_db_blocker) -> Iterator[None]:
    """Give this worker a migrated database of its own, in place of the one that pytest-django would make."""
    from django.conf import settings
    from django.db import connections

    own = settings.DATABASES["default"]["NAME"]
    with django_db_blocker.unblock():
        harness.make_template()
        harness.copy_template(own)
        yield
        connections.close_all()
    harness.drop_database(own)


@pytest.fixture(scope="session")
def emptier(django_db_setup) -> Iterator[harness.Emptier]:
    """What empties this worker's database."""
    from django.conf import settings

    found = harness.Emptier(settings.DATABASES["default"]["NAME"])
    yield found
    found.close()


def _begin_anew() -> None:
    """Let the next test begin as another producer, without a backlog and with nothing to adopt."""
    from django.conf import settings

    from friren.persistence import engines

    journal = Path(settings.FRIREN_HOME) / "journal"
    used = any(engine.last_seq or len(engine.buffer) or not engine.circuit.closed for engine in engines.existing())
    if used or journal.exists():  # a process that a test began may have left one too
        threads = [thread for engine in engines.existing() for thread in engine._threads]
        engines.close_all()
        for thread in threads:  # one may be in the midst of a batch, which belongs to the test before
            thread.join(BATCH_SECONDS_MAX)
        shutil.rmtree(journal, ignore_errors=True)


@pytest.fixture
def database(emptier, django_db_blocker) -> Iterator[None]:
    """
    The database, committed to for real, and emptied after the test.

    Not wrapped in a transaction: loggers refuse to run inside one, and what they promise is a COMMIT.
    """
    from django.db import connections

    from friren.persistence.answers import forget_answers
    from friren.persistence.facts import forget_natural_keys

    with django_db_blocker.unblock():
        _begin_anew()  # a test without a database may have left an engine that looks for one
        yield
        left_open = [c.alias for c in connections.all(initialized_only=True) if c.in_atomic_block]
        if left_open:
            connections.close_all()
            pytest.fail(f"the test left a transaction open on {left_open}")
        _begin_anew()
        emptier.empty()
        forget_natural_keys()
        forget_answers()


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """Address of a server that speaks the protocol of S3."""
    moto = pytest.importorskip("moto.server", reason="the bucket of the tests is moto's, group s3")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3, monkeypatch) -> Iterator[object]:
    """An empty bucket, BACKUP_S3_URL in it; yields boto3's own view of it."""
    import boto3

    for name, value in {
        "AWS_ENDPOINT_URL_S3": s3,
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": "s3cret-of-the-bucket",
        "AWS_DEFAULT_REGION": "us-east-1",
        "BACKUP_S3_URL": f"s3://{BUCKET}/desk/one",
    }.items():
        monkeypatch.setenv(name, value)
    found = boto3.resource("s3").Bucket(BUCKET)
    found.create()
    yield found
    found.objects.all().delete()
    found.delete()
