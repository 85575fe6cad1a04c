"""requirements.lock, the constraints of uv and the environment agree, and name no host."""

from __future__ import annotations

import importlib.metadata
import re
import runpy
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
LOCK = (ROOT / "requirements.lock").read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TOOL = runpy.run_path(str(ROOT / "deploy" / "tools" / "lock.py"))

PINS = TOOL["pins"](LOCK)
HOW_TO_FIX = "run `python3 deploy/tools/lock.py`"


def test_names_no_host() -> None:
    assert "://" not in LOCK
    assert "index" not in LOCK


def test_has_a_hash_for_every_package() -> None:
    blocks = re.split(r"^(?=[a-z0-9])", LOCK, flags=re.MULTILINE)[1:]

    assert len(blocks) == len(PINS) > 30
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_agrees_with_the_constraints() -> None:
    assert PYPROJECT["tool"]["uv"]["constraint-dependencies"] == PINS, HOW_TO_FIX


def test_locks_everything_that_is_asked_for() -> None:
    project = PYPROJECT["project"]
    asked = [
        *project["dependencies"],
        *(item for group in project["optional-dependencies"].values() for item in group),
        *(item for group in PYPROJECT["dependency-groups"].values() for item in group),
    ]
    locked = {canonicalize_name(Requirement(pin).name) for pin in PINS}
    missing = {canonicalize_name(Requirement(item).name) for item in asked} - locked - {"friren"}

    assert missing == set(), HOW_TO_FIX


@pytest.mark.parametrize("pin", PINS)
def test_is_what_is_installed(pin) -> None:
    requirement = Requirement(pin)
    if requirement.marker is not None and not requirement.marker.evaluate():
        return
    try:
        installed = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return  # of a group that is not installed here
    assert requirement.specifier.contains(installed, prereleases=True), "run `python3 -m uv sync`"


def test_the_tool_is_a_fixed_point() -> None:
    text = (ROOT / "pyproject.toml").read_text()

    assert TOOL["with_constraints"](text, LOCK) == text
    assert "constraint-dependencies" not in TOOL["without_constraints"](text)
