"""The closed lists of the write path. Stored case is fixed; input is taken in any case."""

from django.db.models import TextChoices

__all__ = ["Resolution", "Shelf"]


class Shelf(TextChoices):
    """Why a record stands among the dead letters."""

    DEAD = "dead", "could not be stored"
    REJECTED = "rejected", "a refused description of an executed fill"


class Resolution(TextChoices):
    """How a dead letter was dealt with."""

    STORED = "stored", "stored after all"
    DROPPED = "dropped", "given up on purpose"
