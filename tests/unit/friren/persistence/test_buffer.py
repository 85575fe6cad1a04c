"""Memory as the last resort: bounded, in order, and nothing that is refused goes uncounted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from friren.persistence.buffer import Buffer, Buffered
from friren.persistence.policies import KindPolicy
from friren.persistence.relief import relieve

FILL, TELEMETRY = KindPolicy(happened=True), KindPolicy()


def record(number: int) -> Buffered:
    return Buffered(str(number).encode(), sync=False)


def nothing_stored(_write):
    return None


def test_no_new_risk_from_eighty_per_cent_on() -> None:
    buffer = Buffer(records_max=10)
    for number in range(7):
        buffer.add("signal", record(number), TELEMETRY)
    assert not buffer.stops_risk
    buffer.add("signal", record(7), TELEMETRY)
    assert buffer.stops_risk


def test_the_bound_is_in_bytes_too() -> None:
    buffer = Buffer(records_max=1000, bytes_max=100)
    buffer.add("signal", Buffered(b"x" * 80, sync=False), TELEMETRY)
    assert buffer.stops_risk


def test_telemetry_is_refused_at_the_bound_and_counted_and_fills_are_taken() -> None:
    buffer = Buffer(records_max=2)
    taken = [buffer.add(kind, record(n), policy) for n, (kind, policy) in enumerate(
        [("signal", TELEMETRY), ("signal", TELEMETRY), ("signal", TELEMETRY), ("trade", FILL), ("signal", TELEMETRY)]
    )]  # fmt: skip
    assert taken == [True, True, False, True, False]
    assert len(buffer) == 3
    assert {kind: loss.lost for kind, loss in buffer.take_losses().items()} == {"signal": 2}


@given(st.lists(st.booleans(), max_size=40))
def test_records_leave_in_order_however_often_the_disk_refuses(turns) -> None:
    buffer, disk = Buffer(), []
    for number, _ in enumerate(turns):
        buffer.add("trade", record(number), FILL)
    answers = iter([*turns, *[True] * len(turns)])

    def append(payload: bytes, *, sync: bool) -> bool:
        if not next(answers):
            return False
        disk.append(Buffered(payload, sync))
        return True

    for _ in range(len(turns) + 1):
        relieve(buffer, append=append, store=nothing_stored, producer=None)
    assert disk == [record(number) for number in range(len(turns))]
    assert len(buffer) == 0
    assert buffer.fill == 0


def test_losses_that_cannot_be_written_down_are_remembered() -> None:
    buffer = Buffer(records_max=1)
    buffer.add("signal", record(0), TELEMETRY)
    buffer.add("signal", record(1), TELEMETRY)
    buffer.drop_first()
    relieve(buffer, append=lambda _payload, sync: False, store=nothing_stored, producer=None)
    buffer.add("signal", record(2), TELEMETRY)
    buffer.add("signal", record(3), TELEMETRY)
    assert buffer.take_losses()["signal"].lost == 2
