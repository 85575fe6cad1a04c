"""The checker of histories sees every kind of fault, and none where there is none."""

from __future__ import annotations

import pytest

from tests.faults.history import Call, Row, Told, check, read_history

CALLS = [
    Call("order", Told.OK),
    Call("submitted", Told.OK, "order"),
    Call("filled", Told.OK, "order"),
    Call("refused", Told.FAILED),
    Call("cut off", Told.UNKNOWN),
]
ROWS = [Row("order", "order!", 1), Row("submitted", "submitted!", 2), Row("filled", "filled!", 3)]


def found(rows):
    return check(CALLS, rows, expected=lambda key: f"{key}!")


def test_what_was_acknowledged_and_is_stored_once_is_all_right() -> None:
    findings = found(ROWS)
    assert findings.violations == {}
    assert (findings.acknowledged, findings.failed, findings.unknown, findings.unknown_stored) == (3, 1, 1, 0)


def test_what_nobody_was_told_of_may_be_there_or_not() -> None:
    findings = found([*ROWS, Row("cut off", "cut off!", 4)])
    assert findings.violations == {}
    assert findings.unknown_stored == 1


@pytest.mark.parametrize(
    ("rows", "violations"),
    [
        (ROWS[1:], {"lost": 1}),
        ([*ROWS, ROWS[0]], {"duplicate": 1}),
        ([*ROWS, Row("refused", "refused!", 4)], {"spurious": 1}),
        ([*ROWS, Row("never asked for", "never asked for!", 4)], {"spurious": 1}),
        ([*ROWS[:2], Row("filled", "half of it", 3)], {"corrupt": 1}),
        ([*ROWS[:1], Row("submitted", "submitted!", 4), ROWS[2]], {"disordered": 1}),
    ],
)
def test_every_kind_of_fault_is_seen(rows, violations) -> None:
    assert found(rows).violations == violations


def test_a_line_that_the_kill_tore_is_no_acknowledgement(tmp_path) -> None:
    history = tmp_path / "history"
    history.write_text("A 1\nK 1 STORED 7.5\nA 2\nE 2 ValueError: no\nA 3\nK 3 STOR")
    calls = read_history(history, entity_of=lambda key: f"order {key}")
    assert calls == [
        Call("1", Told.OK, "order 1", "STORED", 7.5),
        Call("2", Told.FAILED, "order 2", "ValueError: no"),
        Call("3", Told.UNKNOWN, "order 3"),
    ]
