"""A web server over this run's database, and Debian's chromium to look at it with."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.postgres import ROOT

STARTED_WITHIN = 120.0
PAGE_WITHIN_MS = 60_000


@pytest.fixture(autouse=True)
def _database(database) -> None:
    """Unblock it, and empty it afterwards."""


@pytest.fixture(scope="session")
def server(django_db_setup, tmp_path_factory) -> Iterator[str]:
    """The address of `manage.py runserver`, set up as for use: not in debug mode."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (tmp_path_factory.mktemp("server") / "log").open("w+")
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "runserver", "--noreload", f"127.0.0.1:{port}"],
        env=os.environ | {"DEBUG": "false"},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, process, log)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _wait_for(address: str, process: subprocess.Popen, log) -> None:
    deadline = time.monotonic() + STARTED_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/admin/login/", timeout=STARTED_WITHIN):
                return
        except urllib.error.HTTPError as exc:
            exc.close()
            break
        except OSError:
            time.sleep(0.1)
    log.seek(0)
    pytest.fail(f"the web server did not start:\n{log.read()}")


class Visitor:
    """A person with a browser; `complaints` is what the browser had to say against the pages."""

    def __init__(self, page, address: str) -> None:
        self.page, self.address = page, address
        self.complaints: list[str] = []
        page.set_default_timeout(PAGE_WITHIN_MS)
        page.on("console", lambda message: message.type in {"error", "warning"} and self._complain(message.text))
        page.on("pageerror", lambda error: self._complain(str(error)))
        # A page that is left before its last script has come aborts the request: that is the visitor's doing.
        page.on(
            "requestfailed",
            lambda request: (
                request.failure != "net::ERR_ABORTED" and self._complain(f"{request.url} failed: {request.failure}")
            ),
        )
        page.on(
            "response", lambda response: response.status >= 400 and self._complain(f"{response.status} {response.url}")
        )
        page.expose_function("complain", self._complain)
        page.add_init_script(
            "document.addEventListener('securitypolicyviolation',"
            " e => window.complain(`CSP: ${e.violatedDirective} ${e.blockedURI}`))"
        )

    def _complain(self, text: str) -> None:
        self.complaints.append(f"{self.page.url}: {text}")

    def open(self, path: str) -> None:
        self.page.goto(self.address + path, wait_until="networkidle")

    def sign_in(self, username: str, password: str) -> None:
        self.open("/admin/")
        self.page.fill("#id_username", username)
        self.page.fill("#id_password", password)
        self.page.click("input[type=submit]")
        self.page.wait_for_url("**/admin/")


@pytest.fixture
def browse(server):
    """
    Return a function that opens a browser, to be called once the rows are made.

    Only then: while it runs, Django takes this thread for one of an event loop and refuses to ask the database.
    """
    if importlib.util.find_spec("playwright") is None:
        missing = pytest.fail if os.environ.get("FRIREN_TEST_ALL") else pytest.skip
        missing("needs the dependency group `browser`")
    from contextlib import ExitStack

    from playwright.sync_api import sync_playwright

    with ExitStack() as open_browsers:

        def browse(**context) -> Visitor:
            playwright = open_browsers.enter_context(sync_playwright())
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            open_browsers.callback(browser.close)
            return Visitor(browser.new_context(viewport={"width": 1440, "height": 900}, **context).new_page(), server)

        yield browse
