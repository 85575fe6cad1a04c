"""Records that the database refuses do not keep those beside them from being stored, and none of them is lost."""

from __future__ import annotations

from tests.faults import poison


def test_every_good_record_is_stored_and_every_poisoned_one_is_a_dead_letter(ground) -> None:
    result = poison.poisoned(ground, count=1_000, rounds=2, DRAIN_BATCH_ROWS=250)
    assert result.wrong == []
    assert result.account == {"stored": 3_980, "dead_lettered": 20}
    assert len(result.figures["poison"]) == 5
