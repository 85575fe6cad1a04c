"""What the laboratory puts something in place of is there: quick, for whoever renames it."""

from __future__ import annotations

import importlib

import pytest

from tests.faults.failpoints import FAILPOINTS


def test_there_are_as_many_as_there_must_be() -> None:
    assert len(FAILPOINTS) >= 12


@pytest.mark.parametrize("name", FAILPOINTS)
def test_every_failpoint_stands_at_a_function(name) -> None:
    module, _, path = FAILPOINTS[name].place.partition(":")
    found = importlib.import_module(module)
    for part in path.split("."):
        found = vars(found)[part]
    assert callable(found)
