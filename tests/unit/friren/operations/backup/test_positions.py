"""Where something lies in the WAL."""

from __future__ import annotations

import itertools

import pytest

from friren.archive_wal import segment_number
from friren.errors import BackupError
from friren.operations.backup.positions import Leg, legs_of, lsn_of, lsn_text, segment_name
from friren.operations.backup.wal import way

SIZE = 1 << 24


@pytest.mark.parametrize("text", ["0/0", "0/2000028", "16/B374D848", "FFFFFFFF/FFFFFFFF"])
def test_an_address_comes_back_as_it_was_written(text) -> None:
    assert lsn_text(lsn_of(text)) == text


@pytest.mark.parametrize("text", ["", "0", "0/G", "-1/0", "0/123456789", "0/1 0/2"])
def test_what_is_no_address_is_refused(text) -> None:
    with pytest.raises(BackupError, match="no address"):
        lsn_of(text)


@pytest.mark.parametrize("size", [1 << 20, 1 << 24, 1 << 30])
@pytest.mark.parametrize("number", [0, 1, 255, 256, 4095, 4096, 1_000_003])
def test_a_segment_is_known_by_its_name(size, number) -> None:
    assert segment_number(segment_name(3, number, size), size) == number


def test_the_last_segment_of_a_log_is_followed_by_the_first_of_the_next() -> None:
    assert segment_name(1, 255, SIZE) == "0000000100000000000000FF"
    assert segment_name(1, 256, SIZE) == "000000010000000100000000"


def test_the_way_leads_over_every_fork() -> None:
    second = b"1\t0/5000098\tbefore 2026-01-05\n"
    third = second + b"\n2\t0/7000000\tno recovery target specified\n"

    legs = legs_of(3, {2: second, 3: third})

    assert legs == [Leg(1, 0), Leg(2, lsn_of("0/5000098")), Leg(3, lsn_of("0/7000000"))]
    names = itertools.islice(way(legs, start=lsn_of("0/3000028"), segment_bytes=SIZE), 6)
    # As recovery reads: the segment of a fork from the newer timeline, which begins with a copy of the older one's.
    assert [(int(name[:8], 16), segment_number(name, SIZE)) for name in names] == [
        (1, 3), (1, 4), (2, 5), (2, 6), (3, 7), (3, 8),
    ]  # fmt: skip


def test_a_timeline_without_a_history_is_the_first() -> None:
    assert legs_of(1, {}) == [Leg(1, 0)]
