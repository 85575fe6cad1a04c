"""Database functions that models name."""

from django.db.models import BigIntegerField, Func

__all__ = ["NextRecordedSeq"]


class NextRecordedSeq(Func):
    """
    The next number of the one sequence all facts share; the default of `recorded_seq`.

    The SQL function takes its transaction id before the number, so that a number is never held by
    a transaction that a snapshot taken later cannot see as running.
    """

    function = "friren_next_seq"
    template = "%(function)s()"
    arity = 0
    output_field = BigIntegerField()
