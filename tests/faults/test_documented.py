"""The page on durability tells of every experiment and of every kind of fault."""

from __future__ import annotations

import pytest

from tests.faults.__main__ import EXPERIMENTS
from tests.faults.provocations import FAULTS
from tests.postgres import ROOT

PAGE = (ROOT / "docs/explanation/durability.md").read_text()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_is_told(name) -> None:
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("name", FAULTS)
def test_a_kind_of_fault_is_told_with_what_provokes_it_and_what_the_server_says(name) -> None:
    told = [line for line in PAGE.splitlines() if line.startswith(f"| {name} |")]
    assert [line.rpartition("| ")[2].rstrip(" |") for line in told] == [FAULTS[name].raises]
