"""`friren.setup()` in a plain script."""

from __future__ import annotations

import time

from tests.servers import python

TWICE = """
import threading, timeit, friren
threads = [threading.Thread(target=friren.setup) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(min(timeit.repeat(friren.setup, number=1, repeat=20)))
"""


def test_is_safe_to_call_again_and_from_many_threads(home) -> None:
    process = python(TWICE, home=home)
    stdout, stderr = process.communicate(timeout=120)

    assert (process.returncode, stderr) == (0, "")
    assert float(stdout) < 0.01


def test_comes_up_while_its_server_is_down_and_says_why(server) -> None:
    server.stop()
    process = python("import friren; friren.setup(); print('up')", home=server.home, **server.environment())
    began = time.monotonic()
    stdout, stderr = process.communicate(timeout=240)

    assert (process.returncode, stdout) == (0, "up\n")
    assert "the database cannot be reached" in stderr
    assert "No such file or directory" in stderr
    assert time.monotonic() - began < 30


def test_import_alone_touches_nothing(home) -> None:
    process = python("import friren, sys; print('django' in sys.modules, friren.__version__)", home=home)

    assert process.communicate(timeout=240)[0].startswith("False ")
    assert list(home.iterdir()) == []
