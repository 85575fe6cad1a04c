"""Wrong variants of the write path are caught, each by the experiment that is there for its kind of mistake."""

from __future__ import annotations

import pytest

from tests.faults.mutants import complaints
from tests.faults.variants import VARIANTS


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_a_wrong_variant_is_caught(ground, name) -> None:
    said = complaints(name, ground)
    assert any(VARIANTS[name].expects in line for line in said), said


def test_there_are_as_many_as_there_must_be() -> None:
    assert len(VARIANTS) >= 8
