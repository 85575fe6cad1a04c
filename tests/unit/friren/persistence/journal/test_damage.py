"""Whatever happens to the bytes, every number is answered for and every whole record is found."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from friren.persistence.journal import Damage, Journal, JournalReader, Record, journals_of, reader

from .conftest import ADDRESS
from .test_journal import append_all, payloads, read_all

RECORDS = 12


@pytest.fixture
def written(root):
    """A journal of one segment, its writer gone: path of the segment, and where each record begins."""
    journal = Journal(root, ADDRESS)
    starts = []
    for payload in payloads(RECORDS):
        starts.append(journal._size)
        journal.append(payload, sync=False)
        starts[-1] = journal._size - 24 - len(payload)
    journal.close()
    [segment] = journal.directory.glob("*.seg")
    return journal.directory, segment, starts


def reader_of(directory) -> JournalReader:
    return JournalReader(directory, ADDRESS)


def test_a_tail_torn_at_any_byte_of_the_last_three_records_loses_only_what_is_torn(written) -> None:
    directory, segment, starts = written
    whole = segment.read_bytes()
    wanted = payloads(RECORDS)
    for size in range(starts[-3], len(whole)):
        segment.write_bytes(whole[:size])
        complete = sum(start <= size for start in [*starts[1:], len(whole)])
        reader = reader_of(directory)
        assert [item.payload for item in read_all(reader)] == wanted[:complete], size
        assert reader.last_seq == complete, size
    assert not (directory / "damaged").exists()


@pytest.mark.parametrize("number", [1, 6, RECORDS], ids=["first", "middle", "last"])
def test_a_flipped_bit_in_any_byte_of_a_record_costs_that_record_and_is_counted(written, number) -> None:
    directory, segment, starts = written
    whole = segment.read_bytes()
    end = [*starts[1:], len(whole)][number - 1]
    wanted = [Record(seq, payload) for seq, payload in enumerate(payloads(RECORDS), 1) if seq != number]
    for at in range(starts[number - 1], end):
        for bit in (1, 128):
            changed = bytearray(whole)
            changed[at] ^= bit
            segment.write_bytes(changed)
            reader = reader_of(directory)
            found = read_all(reader)
            assert [item for item in found if isinstance(item, Record)] == wanted, (at, bit)
            assert [(item.seq, item.last_seq) for item in found if isinstance(item, Damage)] == [(number, number)]
            assert reader.last_seq == RECORDS
    assert (directory / "damaged" / f"{number}-{number}.bin").stat().st_size > 0


def test_a_flipped_bit_in_any_byte_of_the_header_costs_nothing(written) -> None:
    directory, segment, starts = written
    whole = segment.read_bytes()
    for at in range(starts[0]):
        changed = bytearray(whole)
        changed[at] ^= 4
        segment.write_bytes(changed)
        found = [item for item in read_all(reader_of(directory)) if isinstance(item, Record)]
        assert [item.payload for item in found] == payloads(RECORDS), at


def test_zeros_at_the_end_are_no_record(written) -> None:
    directory, segment, _starts = written
    segment.write_bytes(segment.read_bytes() + bytes(4096))
    reader = reader_of(directory)
    assert [item.payload for item in read_all(reader)] == payloads(RECORDS)
    assert reader.last_seq == RECORDS


def test_records_of_another_producer_are_no_records_of_this_one(written, root) -> None:
    directory, segment, starts = written
    other = Journal(root, ADDRESS)
    append_all(other, payloads(RECORDS))
    other.close()
    [foreign] = other.directory.glob("*.seg")
    # As after a power cut: the second half of the file is another file's.
    middle = starts[6]
    segment.write_bytes(segment.read_bytes()[:middle] + foreign.read_bytes()[middle:])
    found = read_all(reader_of(directory))
    assert [item.payload for item in found if isinstance(item, Record)] == payloads(6)


def test_the_unfinished_record_of_a_living_writer_is_no_damage(journal) -> None:
    append_all(journal, payloads(5))
    segment = journal.directory / journal._segment.file_name
    with segment.open("ab") as file:
        file.write(b"\xf5rec" + bytes(40))
    reader = reader_of(journal.directory)
    assert reader.alive
    assert [item.seq for item in read_all(reader)] == [1, 2, 3, 4, 5]
    assert reader.last_seq == 5


def test_a_writer_does_not_wait_for_what_it_can_no_longer_read(journal) -> None:
    append_all(journal, payloads(5))
    segment = journal.directory / journal._segment.file_name
    segment.write_bytes(segment.read_bytes()[:-1])
    assert read_all(journal)[-1] == Damage(5, 5, b"")


def test_a_missing_segment_is_damage_between_its_neighbours(journal) -> None:
    append_all(journal, payloads(300))
    segments = sorted(journal.directory.glob("*.seg"))
    first, following = (int(path.stem) for path in segments[1:3])
    segments[1].unlink()
    found = read_all(journal)
    assert [item for item in found if isinstance(item, Damage)] == [Damage(first, following - 1, b"")]
    assert sum(isinstance(item, Record) for item in found) == 300 - (following - first)


def test_a_header_that_its_writer_did_not_finish_is_no_record(written) -> None:
    """Nothing was accepted behind it, so nothing is missing: at any byte of it."""
    directory, segment, starts = written
    header = segment.read_bytes()[: starts[0]]
    following = directory / f"{RECORDS + 1:020d}.seg"
    for size in range(len(header)):
        following.write_bytes(header[:size])
        reader = reader_of(directory)
        assert [item.seq for item in read_all(reader)] == list(range(1, RECORDS + 1)), size
        assert reader.last_seq == RECORDS, size


def test_a_writer_that_died_before_its_first_segment_stops_nobody(root) -> None:
    """Its directory is there, and nothing in it: as after a kill at its birth, or when all of it was given up."""
    journal = Journal(root, ADDRESS)
    journal.directory.mkdir(parents=True)
    (journal.directory / "lock").touch()
    [found] = journals_of(root, ADDRESS)
    assert found.read(1, 10) == []
    assert found.last_seq == 0


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    root = tmp_path_factory.mktemp("template")
    journal = Journal(root, ADDRESS, segment_bytes=1500)
    append_all(journal, payloads(60))
    journal.close()
    return journal.directory


@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    strokes=st.lists(
        st.tuples(st.integers(0, 20), st.integers(0, 1500), st.binary(min_size=1, max_size=60)), min_size=1, max_size=6
    )
)
def test_any_damage_leaves_a_journal_that_is_read_to_its_end(template, tmp_path, strokes) -> None:
    directory = tmp_path / template.name
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(template, directory)
    # Where the last example's journal ended is remembered by folder, and this is another journal in the same.
    reader._ends.pop(directory, None)
    segments = sorted(directory.glob("*.seg"))
    for segment, at, data in strokes:
        path = segments[segment % len(segments)]
        content = path.read_bytes()
        place = at % len(content)
        path.write_bytes(content[:place] + data + content[place + len(data) :])
    found = read_all(reader_of(directory))
    expected, wanted = 1, payloads(60)
    for item in found:
        assert item.seq == expected
        if isinstance(item, Record):
            assert item.payload == wanted[item.seq - 1]
        expected = (item.last_seq if isinstance(item, Damage) else item.seq) + 1
    assert expected - 1 == reader_of(directory).last_seq
