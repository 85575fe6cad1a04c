"""The pages as a site: built without a warning, complete, and without anything from elsewhere."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from friren import errors
from portfolio_manager import data_logger
from trading_engine import services
from trading_engine.data.database_manager import DatabaseManager

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"


class Links(HTMLParser):
    """What a page loads, and where its navigation goes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "a":
            self.linked.append(told.get("href") or "")
        elif tag in {"script", "img", "link", "iframe"} and told.get("rel") != "canonical":
            self.loaded.append(told.get("src") or told.get("href") or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    if importlib.util.find_spec("material") is None:
        told = "needs mkdocs-material: python3 -m uv sync --group docs"
        (pytest.fail if os.environ.get("FRIREN_TEST_ALL") else pytest.skip)(told)
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-f", DOCS / "mkdocs.yml", "-d", folder],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_every_page_is_in_the_navigation(site) -> None:
    linked = {link.strip("./") for link in Links((site / "404.html").read_text()).linked}
    wanted = set()
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).with_suffix("").as_posix()
        wanted.add(re.sub(r"/?(README|index)$", "", name))

    assert len(wanted) > 40
    assert wanted - linked == set()
    assert {"changelog", "reference/settings"} <= linked


def test_nothing_is_loaded_from_elsewhere(site) -> None:
    loaded = {one for page in site.rglob("*.html") for one in Links(page.read_text()).loaded}

    assert loaded
    assert [one for one in loaded if re.match(r"(https?:)?//", one)] == []


def test_the_settings_are_those_of_the_example(site) -> None:
    page = (site / "reference" / "settings" / "index.html").read_text()
    names = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)

    assert [name for name in names if name not in page] == []


def public(service: type) -> set[str]:
    """The methods that callers use, without those that all services share and without async twins."""
    found = {name for name, _ in inspect.getmembers(service, inspect.isfunction) if not name.startswith("_")}
    return {name for name in found - {"flush", "close"} if not (name[0] == "a" and name[1:] in found)}


# Handles on all of them, which stand beside the tables of the page.
HANDLES = (DatabaseManager, data_logger.DataLogger)
EXPORTED = [getattr(module, name) for module in (services, data_logger) for name in module.__all__]
SERVICES = [one for one in EXPORTED if one not in HANDLES]


@pytest.mark.parametrize("service", [one for one in SERVICES if inspect.isclass(one)])
def test_every_method_of_a_service_is_on_its_page(service) -> None:
    page = (DOCS / "reference" / "python.md").read_text()

    (line,) = [line for line in page.splitlines() if line.startswith(f"| `{service.__name__}` |")]
    assert set(re.findall(r"`([a-z_]+)`", line)) == public(service), "docs/reference/python.md lags"


def test_the_page_of_python_names_no_service_that_is_gone() -> None:
    page = (DOCS / "reference" / "python.md").read_text()
    told = set(re.findall(r"^\| `([A-Z]\w+)` \|", page, re.MULTILINE))

    assert told == {one.__name__ for one in SERVICES if inspect.isclass(one)}
    assert all(one.__name__ in page for one in HANDLES)


def test_every_error_is_on_its_page() -> None:
    page = (DOCS / "reference" / "errors.md").read_text()

    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(errors.__all__)
