"""Records of a journal that are no facts are told from those that are."""

from __future__ import annotations

from friren.persistence.descriptions import Descriptions


def test_counts_what_is_not_drained_whatever_the_order_of_arrival() -> None:
    told = Descriptions()
    for seq in (6, 5, 9):
        told.add(seq, position=4)

    assert [told.behind(position) for position in (4, 5, 8, 9)] == [3, 2, 1, 0]


def test_one_that_is_drained_before_it_is_told_counts_nowhere() -> None:
    told = Descriptions()
    told.add(3, position=7)

    assert told.behind(7) == 0
